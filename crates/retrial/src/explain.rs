//! `retrial explain`: one call, its requests and every statement that mattered.

use std::fmt::{self, Write};
use std::io::Read;
use std::path::Path;

use bumpalo::Bump;
use retrial_cloudtrail::{
    Framed, Limits, LogFileReader, Part, PartBudget, Record, RecordParser, Reject,
};
use retrial_iam::{
    Catalogue, ConditionExplanation, Explanation, FoundKey, LayerExplanation, LayerResult,
    PolicyUnavailable, Remedy, Scratch, StatementExplanation, Truth, TurnValue, TurningKey,
};
use retrial_pipeline::PlannedFile;
use retrial_replay::{Call, CallRequest, Mapping, Replayer, Session, SessionKnowledge};
use retrial_storage::{FolderSource, Source};
use serde_json::Value;

use crate::Exit;
use crate::args::ExplainArgs;
use crate::error::ProgramError;
use crate::input;
use crate::issuing::{LogFile, session_of};
use crate::location::Location;
use crate::printer::{Printer, printable};

/// How much of a file is looked at between two looks at whether the record was found.
const BUDGET: PartBudget = PartBudget {
    bytes: 16 << 20,
    records: 10_000,
};

/// Log files after which their sources are told again which come next.
const ANNOUNCED: usize = 500;

/// Values of a condition key or element that are printed; the rest is counted.
const VALUES: usize = 6;

pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let loaded = input::snapshot(&args.snapshot.iam, &printer)?;
    let assumptions = args.snapshot.assumptions();
    let replayer = Replayer::new(catalogue, &mapping, &loaded.snapshot, assumptions);
    let texts = match &args.source {
        Some(location) => find(args, location, &printer)?,
        None => whole_file(&args.event, &printer)?
            .into_iter()
            .map(|text| (text, None))
            .collect(),
    };
    for (text, session) in texts {
        printer.data(&explain(&replayer, &text, session.as_ref()))?;
    }
    Ok(if loaded.whole {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

/// Every record of a file.
pub(crate) fn whole_file(path: &str, printer: &Printer) -> Result<Vec<Vec<u8>>, ProgramError> {
    let failed = |cause| ProgramError::Event {
        path: path.to_owned(),
        cause,
    };
    let source = FolderSource::open(Path::new(path)).map_err(failed)?;
    let mut texts = Vec::new();
    for entry in source.list(&Default::default()) {
        let key = entry.map_err(failed)?.key;
        let unread = scan(source.open(&key).map_err(failed)?, |text| {
            texts.push(text.to_vec());
            false
        });
        warn_unread(&key, unread, printer);
    }
    if texts.is_empty() {
        Err(ProgramError::NoRecord {
            path: path.to_owned(),
        })
    } else {
        Ok(texts)
    }
}

/// A record's text, and its session where that is known.
type Found = (Vec<u8>, Option<Session>);

/// The record with this event id, in the order of a run's plan.
fn find(
    args: &ExplainArgs,
    location: &Location,
    printer: &Printer,
) -> Result<Vec<Found>, ProgramError> {
    let event_id = args.event.as_str();
    let locations = std::slice::from_ref(location);
    let sources = input::sources((locations, &args.s3), &args.snapshot.iam)?;
    let log_files = sources.log_files(printer);
    let mut parser = RecordParser::new();
    for (at, file) in log_files.iter().enumerate() {
        if at % ANNOUNCED == 0 {
            announce(&sources.sources, log_files.get(at..).unwrap_or_default());
        }
        let Some(source) = sources.sources.get(file.source) else {
            continue;
        };
        // The record may be in what cannot be read: whoever looks for it is told.
        let body = match source.open(&file.key) {
            Ok(body) => body,
            Err(error) => {
                printer.warning(&error.to_string());
                continue;
            }
        };
        let mut found = None;
        let unread = scan(body, |text| {
            if !text
                .windows(event_id.len().max(1))
                .any(|window| window == event_id.as_bytes())
            {
                return false;
            }
            let is_it = parser.parse(text, |record| record.event_id == Some(event_id));
            if matches!(is_it, Ok(true)) {
                found = Some(text.to_vec());
            }
            found.is_some()
        });
        if let Some(text) = found {
            let files: Vec<LogFile<'_>> = log_files
                .iter()
                .filter_map(|file| {
                    Some(LogFile {
                        source: sources.sources.get(file.source)?.as_ref(),
                        key: &file.key,
                    })
                })
                .collect();
            let session = session_of(&text, &file.key, &files);
            return Ok(vec![(text, session)]);
        }
        warn_unread(&file.key, unread, printer);
    }
    Err(ProgramError::NoSuchEvent {
        event_id: event_id.to_owned(),
        path: location.to_string(),
    })
}

/// Tells each source which of its files come next.
fn announce(sources: &[Box<dyn Source>], next: &[PlannedFile]) {
    for (index, source) in sources.iter().enumerate() {
        let files: Vec<(&str, u64)> = next
            .iter()
            .take(2 * ANNOUNCED)
            .filter(|file| file.source == index)
            .map(|file| (file.key.as_str(), file.size))
            .collect();
        source.announce(&files);
    }
}

/// Says that something of a file could not be read.
fn warn_unread(key: &str, unread: Option<Reject>, printer: &Printer) {
    if let Some(reject) = unread {
        printer.warning(&format!("`{key}`: {}", reject.reason));
    }
}

/// Shows each record's text to `look`, until it says that it has seen enough. Gives the first reject.
pub(crate) fn scan(
    body: Box<dyn Read + Send>,
    mut look: impl FnMut(&[u8]) -> bool,
) -> Option<Reject> {
    let mut unread = None;
    let mut reader = LogFileReader::new(body, Limits::default());
    let mut enough = false;
    while !enough {
        let part = reader.read_part(BUDGET, &mut |framed| match framed {
            Framed::Record { text, .. } => enough = enough || look(text),
            Framed::Rejected(reject) => {
                unread.get_or_insert(reject);
            }
        });
        if matches!(part, Part::End(_)) {
            break;
        }
    }
    unread
}

fn explain(replayer: &Replayer<'_>, text: &[u8], session: Option<&Session>) -> String {
    let session = session.map_or(SessionKnowledge::NotSeen, SessionKnowledge::Known);
    let arena = Bump::new();
    let mut out = String::new();
    let written = RecordParser::new().parse(text, |record| {
        let call = replayer.replay(record, session, &arena, &mut Scratch::default());
        let explanations = replayer.explain(record, session, &arena);
        write_call(&mut out, record, &call, &explanations)
    });
    match written {
        // Writing to a String does not fail.
        Ok(_) => out,
        Err(error) => format!(
            "a record that cannot be read: {}\n",
            printable(&error.to_string())
        ),
    }
}

fn write_call(
    out: &mut String,
    record: &Record<'_>,
    call: &Call<'_>,
    explanations: &[Explanation],
) -> fmt::Result {
    let shown = |text: Option<&str>| printable(text.unwrap_or("(not shown)"));
    writeln!(
        out,
        "{} {} at {} in {}",
        shown(record.event_source),
        shown(record.event_name),
        shown(record.event_time_text),
        shown(record.aws_region)
    )?;
    writeln!(out, "  event     {}", shown(record.event_id))?;
    writeln!(out, "  principal {}", shown(call.caller.principal_arn))?;
    if let Some(session) = call.caller.session_name {
        writeln!(out, "  session   {}", printable(session))?;
    }
    let error = record
        .error_code
        .map(|code| format!(" ({})", printable(code)))
        .unwrap_or_default();
    writeln!(out, "  outcome   {}{error}", call.outcome.name())?;
    if let Some(action) = call.denial.action {
        let on = call
            .denial
            .resource
            .map(|resource| format!(" on {}", printable(resource)))
            .unwrap_or_default();
        let layer = call
            .denial
            .layer
            .map(|layer| format!(", layer {}", layer.name()))
            .unwrap_or_default();
        writeln!(out, "  AWS said  denied: {}{on}{layer}", printable(action))?;
    }
    let reason = call
        .reason
        .map(|reason| format!(" ({})", reason.name()))
        .unwrap_or_default();
    let decision = call.decision.map_or("none", |decision| decision.name());
    writeln!(out, "  decision  {decision}")?;
    writeln!(out, "  verdict   {}{reason}", call.verdict.name())?;
    let many = call.requests.len();
    for (number, request) in call.requests.iter().enumerate() {
        writeln!(
            out,
            "\nrequest {} of {many}: {}",
            number + 1,
            printable(request.action)
        )?;
        write_request(out, request)?;
        if let Some(explanation) = explanations.get(number) {
            for layer in &explanation.layers {
                write_layer(out, layer)?;
            }
            for key in &explanation.turning_keys {
                write_turning_key(out, key)?;
            }
            if let Some(remedy) = &explanation.remedy {
                write_remedy(out, remedy)?;
            }
        }
    }
    writeln!(out)
}

/// What an unknown key would have to be.
fn write_turning_key(out: &mut String, key: &TurningKey) -> fmt::Result {
    writeln!(out, "  the decision, if {} is", printable(&key.key))?;
    for turn in &key.turns {
        let value = match &turn.value {
            TurnValue::Is(value) => printable(value),
            TurnValue::Meeting { operands, example } => {
                let met: Vec<String> = operands
                    .iter()
                    .map(|operand| format!("{} {}", operand.operator, operand.value))
                    .collect();
                format!("one for {}, as {}", listed(&met), printable(example))
            }
            TurnValue::Other => "any other value".to_owned(),
            TurnValue::Absent => "absent".to_owned(),
        };
        writeln!(out, "    {value}: {}", turn.decision.name())?;
    }
    Ok(())
}

/// What would allow it; whether it should is for people to say.
fn write_remedy(out: &mut String, remedy: &Remedy) -> fmt::Result {
    let mut elements = vec!["\"Effect\": \"Allow\"".to_owned()];
    if let Some(principal) = &remedy.principal {
        let value = Value::from(principal.value.as_str());
        elements.push(format!(
            "\"Principal\": {{\"{}\": {value}}}",
            principal.principal_type
        ));
    }
    elements.push(format!(
        "\"Action\": {}",
        Value::from(remedy.action.as_str())
    ));
    if let Some(resource) = &remedy.resource {
        elements.push(format!("\"Resource\": {}", Value::from(resource.as_str())));
    }
    let (layer, place) = (remedy.layer.name(), printable(&remedy.place));
    writeln!(
        out,
        "  the least statement that the {layer} layer lacks, at {place}:"
    )?;
    writeln!(out, "    {{{}}}", printable(&elements.join(", ")))
}

fn write_request(out: &mut String, request: &CallRequest<'_>) -> fmt::Result {
    let known = if request.resource_known {
        ""
    } else {
        " (a form: not all of it was recorded)"
    };
    writeln!(
        out,
        "  resource  {}{known}",
        printable(request.resource_arn)
    )?;
    let necessity = if request.required {
        "required"
    } else {
        "possible"
    };
    writeln!(out, "  mapping   {necessity}, {}", request.certainty.name())?;
    if let Some(decision) = request.decision {
        let layer = request
            .layer
            .map(|layer| format!(" by the {} layer", layer.name()))
            .unwrap_or_default();
        let reason = request
            .reason
            .map(|reason| format!(" ({})", reason.name()))
            .unwrap_or_default();
        writeln!(out, "  decision  {}{layer}{reason}", decision.name())?;
    }
    if !request.unknown_keys.is_empty() {
        writeln!(
            out,
            "  unknown   {}",
            printable(&request.unknown_keys.join(", "))
        )?;
    }
    if !request.unknown_layers.is_empty() {
        let layers: Vec<&str> = request
            .unknown_layers
            .iter()
            .map(|layer| layer.name())
            .collect();
        writeln!(out, "  missing   the layers {}", layers.join(", "))?;
    }
    if !request.assumes.is_empty() {
        writeln!(
            out,
            "  assumes   {}",
            printable(&request.assumes.join(", "))
        )?;
    }
    writeln!(out, "  context")?;
    for (key, values) in request.context {
        let values = if values.is_empty() {
            "(absent)".to_owned()
        } else {
            printable(&values.join(", "))
        };
        writeln!(out, "    {} = {values}", printable(key))?;
    }
    Ok(())
}

fn write_layer(out: &mut String, layer: &LayerExplanation) -> fmt::Result {
    let result = match layer.result {
        LayerResult::DoesNotApply => return Ok(()),
        LayerResult::Denies => "denies",
        LayerResult::Allows => "allows",
        LayerResult::Silent => "no statement allows",
        LayerResult::Open => "depends on what is unknown",
        LayerResult::Empty => "collected; there is no policy",
        LayerResult::NotCollected => "not collected",
    };
    writeln!(out, "  layer {}: {result}", layer.layer.name())?;
    for policy in &layer.unavailable {
        let why = match policy.reason {
            PolicyUnavailable::NotCollected => "not collected",
            PolicyUnavailable::Unreadable => "cannot be read",
        };
        writeln!(out, "    policy {}: {why}", printable(&policy.policy))?;
    }
    layer
        .statements
        .iter()
        .try_for_each(|statement| write_statement(out, statement))
}

fn write_statement(out: &mut String, statement: &StatementExplanation) -> fmt::Result {
    let sid = statement
        .sid
        .as_ref()
        .map(|sid| format!(" ({})", printable(sid)))
        .unwrap_or_default();
    let applies = match statement.applies {
        Truth::True => "applies",
        Truth::False => "does not apply",
        Truth::Unknown => "may apply",
    };
    writeln!(
        out,
        "    {} statement {}{sid} of {} {applies}",
        statement.effect.name(),
        statement.index,
        printable(&statement.policy)
    )?;
    if let Some(principal) = statement
        .principal
        .as_ref()
        .filter(|it| it.holds != Truth::True)
    {
        let is = if principal.holds == Truth::Unknown {
            "may not be"
        } else {
            "is not"
        };
        let wanted = listed(&principal.wanted);
        writeln!(
            out,
            "      the caller {is} within {} {wanted}",
            principal.element
        )?;
    }
    if statement.resource.holds != Truth::True {
        let open = if statement.resource.holds == Truth::Unknown {
            "may not be"
        } else {
            "is not"
        };
        writeln!(
            out,
            "      the resource {open} within {} {}",
            statement.resource.element,
            listed(&statement.resource.wanted)
        )?;
    }
    statement
        .conditions
        .iter()
        .filter(|condition| condition.holds != Truth::True)
        .try_for_each(|condition| write_condition(out, condition))
}

fn write_condition(out: &mut String, condition: &ConditionExplanation) -> fmt::Result {
    let found = match &condition.found {
        FoundKey::Values(values) => format!("the request has {}", listed(values)),
        FoundKey::Absent => "the request has none".to_owned(),
        FoundKey::Unknown => "what the request has is unknown".to_owned(),
    };
    let holds = if condition.holds == Truth::Unknown {
        "is open"
    } else {
        "does not hold"
    };
    let (operator, key) = (printable(&condition.operator), printable(&condition.key));
    writeln!(
        out,
        "      {operator} {key} {} {holds}: {found}",
        listed(&condition.wanted)
    )
}

fn listed(values: &[String]) -> String {
    let mut text = values
        .iter()
        .take(VALUES)
        .map(|value| printable(value))
        .collect::<Vec<_>>()
        .join(", ");
    if values.len() > VALUES {
        // Writing to a String does not fail.
        let _ = write!(text, ", and {} more", values.len() - VALUES);
    }
    text
}
