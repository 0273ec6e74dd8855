//! `retrial who-can`: which principals of a snapshot a request is allowed for.

use retrial_iam::{Decision, MissingKeys, Scratch};
use serde_json::{Map, Value, json};

use crate::Exit;
use crate::args::{Format, WhoCanArgs};
use crate::error::ProgramError;
use crate::input;
use crate::printer::{Printer, grouped, printable};
use crate::request::{self, Asked, Asker};

/// One principal's answer.
struct Answer {
    principal: String,
    decision: Decision,
    evaluation: Map<String, Value>,
}

pub(crate) fn run(args: &WhoCanArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let loaded = input::snapshot(&args.iam, &printer)?;
    let missing = if args.absent_by_default {
        MissingKeys::Absent
    } else {
        MissingKeys::ByCatalogue
    };
    let asked = Asked::new(&args.request, missing);
    let mut scratch = Scratch::default();
    let mut answers = Vec::new();
    for principal in loaded.snapshot.principals() {
        answers.push(asked.evaluate(
            &loaded.snapshot,
            &Asker::principal(principal),
            &mut scratch,
            |evaluation, _| Answer {
                principal: principal.arn.clone(),
                decision: evaluation.decision,
                evaluation: request::evaluation(evaluation),
            },
        ));
    }
    match args.format {
        Format::Text => printer.data(&text(args, &answers))?,
        Format::Json => printer.data(&format!("{}\n", as_json(args, &answers)))?,
    }
    Ok(if loaded.whole {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

fn text(args: &WhoCanArgs, answers: &[Answer]) -> String {
    let mut out = format!(
        "{} on {}\n",
        printable(&args.request.action),
        printable(&args.request.resource)
    );
    for (title, decision) in [
        ("allowed", Decision::Allowed),
        ("undetermined", Decision::Undetermined),
    ] {
        let listed: Vec<&Answer> = answers
            .iter()
            .filter(|answer| answer.decision == decision)
            .collect();
        out.push_str(&format!("\n{title}: {}\n", grouped(listed.len() as u64)));
        for answer in listed {
            out.push_str(&format!("  {}\n", printable(&answer.principal)));
            for (name, words) in [
                ("assumes", "assumes"),
                ("unknown_keys", "depends on"),
                ("unknown_layers", "depends on the layer"),
            ] {
                let names = strings(answer.evaluation.get(name));
                if !names.is_empty() {
                    out.push_str(&format!("      {words} {}\n", printable(&names.join(", "))));
                }
            }
        }
    }
    let denied = |decision| {
        let count = answers
            .iter()
            .filter(|answer| answer.decision == decision)
            .count();
        grouped(count as u64)
    };
    out.push_str(&format!(
        "\ndenied: {} explicitly, {} implicitly\n",
        denied(Decision::ExplicitDeny),
        denied(Decision::ImplicitDeny)
    ));
    out
}

fn strings(value: Option<&Value>) -> Vec<&str> {
    value
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn as_json(args: &WhoCanArgs, answers: &[Answer]) -> Value {
    let listed: Vec<Value> = answers
        .iter()
        .filter(|answer| !answer.decision.is_denied())
        .map(|answer| {
            let mut members = answer.evaluation.clone();
            members.insert("principal".to_owned(), json!(answer.principal));
            Value::Object(members)
        })
        .collect();
    let counted = |decision: Decision| {
        answers
            .iter()
            .filter(|answer| answer.decision == decision)
            .count()
    };
    json!({
        "action": args.request.action, "resource": args.request.resource,
        "principals": listed,
        "counts": {
            "allowed": counted(Decision::Allowed),
            "undetermined": counted(Decision::Undetermined),
            "explicit_deny": counted(Decision::ExplicitDeny),
            "implicit_deny": counted(Decision::ImplicitDeny),
        },
    })
}
