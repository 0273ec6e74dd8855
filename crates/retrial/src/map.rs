//! `retrial map`: what AWS asks for an event, and where each value comes from.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::path::Path;

use bumpalo::Bump;
use retrial_cloudtrail::RecordParser;
use retrial_iam::{Catalogue, Snapshot};
use retrial_replay::{
    Asked, Facts, Mapping, Need, Omission, PlannedNeed, Traced, TracedAnswer, TracedKey,
    TracedRequest, TracedResource,
};
use serde_json::{Value, json};

use crate::args::{Format, MapArgs};
use crate::error::ProgramError;
use crate::printer::{Printer, printable};
use crate::summary::left_out;
use crate::{Exit, explain, input};

pub(crate) fn run(args: &MapArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let mapping = Mapping::bundled(Catalogue::bundled())?;
    let mut whole = true;
    let snapshot = match &args.iam {
        Some(path) => {
            let loaded = input::snapshot(path, &printer)?;
            whole = loaded.whole;
            Some(loaded.snapshot)
        }
        None => None,
    };
    if is_file(&args.event) {
        let unread = |error| match error {
            ProgramError::Event { path, cause } => ProgramError::EventFile { path, cause },
            other => other,
        };
        for text in explain::whole_file(&args.event, &printer).map_err(unread)? {
            match of_record(&mapping, &text, snapshot.as_ref()) {
                Ok(mapped) => printer.data(&mapped.shown(args.format))?,
                Err(message) => {
                    printer.warning(&format!("a record that cannot be read: {message}"));
                    whole = false;
                }
            }
        }
    } else {
        let (service, event) = match args.event.rsplit_once([':', ' ']) {
            Some((service, event)) => (Some(service), event),
            None => (None, args.event.as_str()),
        };
        let plans = mapping.plans(service, event);
        if plans.is_empty() {
            let event = args.event.clone();
            return Err(ProgramError::UnmappedEvent { event });
        }
        for plan in plans {
            let needs = mapping.planned_needs(&plan.service, &plan.event);
            let mapped = MappedEvent {
                title: format!("{} {}", plan.service, plan.event),
                event_id: None,
                omission: None,
                planned: true,
                traced: Some(plan),
                needs: needs.iter().map(ShownNeed::planned).collect(),
            };
            printer.data(&mapped.shown(args.format))?;
        }
    }
    Ok(if whole { Exit::Done } else { Exit::Incomplete })
}

/// Whether the argument means a file: it is one, or has the form of a path.
fn is_file(event: &str) -> bool {
    Path::new(event).exists() || event.contains(['/', '\\', '.']) && !event.contains([':', ' '])
}

/// One event, ready to be shown.
struct MappedEvent {
    title: String,
    event_id: Option<String>,
    /// What the record leaves out of its request.
    omission: Option<Omission>,
    /// Whether there is no record: only places are known.
    planned: bool,
    /// `None`: unmapped.
    traced: Option<Traced>,
    /// What the roles that it passes will need.
    needs: Vec<ShownNeed>,
}

/// What a role will need, ready to be shown.
struct ShownNeed {
    /// Whose it is; without a record, where the request says it.
    role_arn: String,
    /// As `--format json` has it.
    json: Value,
    text: String,
}

fn of_record(
    mapping: &Mapping,
    text: &[u8],
    snapshot: Option<&Snapshot>,
) -> Result<MappedEvent, String> {
    let arena = Bump::new();
    let mapped = RecordParser::new().parse(text, |record| {
        let facts = Facts::of(record, Catalogue::bundled(), snapshot);
        let needs = mapping.needs(record, &facts, &arena);
        MappedEvent {
            title: format!(
                "{} {}",
                record.event_source.unwrap_or("(not shown)"),
                record.event_name.unwrap_or("(not shown)")
            ),
            event_id: record.event_id.map(str::to_owned),
            omission: Omission::of(record),
            planned: false,
            traced: mapping.trace(record, snapshot, &arena),
            needs: needs.iter().map(ShownNeed::new).collect(),
        }
    });
    mapped.map_err(|error| error.to_string())
}

impl MappedEvent {
    fn shown(&self, format: Format) -> String {
        match format {
            Format::Json => format!("{}\n", self.json()),
            Format::Text => {
                let mut out = String::new();
                // Writing to a String does not fail.
                let _ = self.write(&mut out);
                out
            }
        }
    }

    fn write(&self, out: &mut String) -> fmt::Result {
        writeln!(out, "{}", printable(&self.title))?;
        if let Some(id) = &self.event_id {
            writeln!(out, "  event     {}", printable(id))?;
        }
        if let Some(omission) = self.omission {
            writeln!(out, "  request   {}", left_out(omission))?;
        }
        let Some(traced) = &self.traced else {
            return writeln!(out, "  unmapped: nobody knows what AWS asks for it\n");
        };
        writeln!(out, "  service   {}", traced.service)?;
        writeln!(out, "  by        {}", rule(traced))?;
        match &traced.answer {
            TracedAnswer::NoPermissionNeeded(page) => {
                writeln!(out, "  it needs no permission: {}", printable(page))?
            }
            TracedAnswer::NotAnIamAction(why) => {
                writeln!(out, "  no IAM action authorizes it: {}", printable(why))?
            }
            TracedAnswer::Requests(requests) => {
                for request in requests {
                    write_request(out, request, self.planned)?;
                }
            }
        }
        self.write_needs(out)?;
        writeln!(out)
    }

    fn write_needs(&self, out: &mut String) -> fmt::Result {
        for of_role in self.needs.chunk_by(|a, b| a.role_arn == b.role_arn) {
            if let Some(need) = of_role.first() {
                let whose = printable(&need.role_arn);
                match self.planned && !whose.contains(' ') && !whose.ends_with(".amazonaws.com") {
                    true => writeln!(out, "\n  the role in `{whose}` will need")?,
                    false => writeln!(out, "\n  {whose} will need")?,
                }
            }
            of_role
                .iter()
                .try_for_each(|need| out.write_str(&need.text))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "event": self.title,
            "event_id": self.event_id,
            "omission": self.omission.map(Omission::name),
            "mapped": self.traced.is_some(),
        });
        let Some((traced, members)) = self.traced.as_ref().zip(value.as_object_mut()) else {
            return value;
        };
        let (answer, why, requests) = match &traced.answer {
            TracedAnswer::Requests(requests) => ("requests", None, requests.as_slice()),
            TracedAnswer::NoPermissionNeeded(page) => ("no_permission_needed", Some(page), &[][..]),
            TracedAnswer::NotAnIamAction(why) => ("not_an_iam_action", Some(why), &[][..]),
        };
        members.insert("service".to_owned(), json!(traced.service));
        members.insert("file".to_owned(), json!(traced.file));
        members.insert("has_row".to_owned(), json!(traced.has_row));
        members.insert("by_event_type".to_owned(), json!(traced.by_event_type));
        members.insert("answer".to_owned(), json!(answer));
        members.insert("why".to_owned(), json!(why));
        let requests: Vec<Value> = requests.iter().map(request_json).collect();
        members.insert("requests".to_owned(), json!(requests));
        let needs: Vec<&Value> = self.needs.iter().map(|need| &need.json).collect();
        members.insert("needs".to_owned(), json!(needs));
        value
    }
}

impl ShownNeed {
    fn new(need: &Need<'_>) -> Self {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = write_need(&mut text, need);
        Self {
            role_arn: need.role_arn.to_owned(),
            json: need_json(need),
            text,
        }
    }

    fn planned(need: &PlannedNeed) -> Self {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = write_planned_need(&mut text, need);
        Self {
            role_arn: need.role.clone(),
            json: planned_need_json(need),
            text,
        }
    }
}

fn write_planned_need(out: &mut String, need: &PlannedNeed) -> fmt::Result {
    let asked = if need.required {
        "required"
    } else {
        "possible"
    };
    let when = need.when.as_ref().map(|when| format!(", if {when}"));
    writeln!(out, "\n    {}", need.action)?;
    writeln!(out, "      on        {}", need.on)?;
    write!(
        out,
        "                {asked}{}, {}",
        when.unwrap_or_default(),
        need.certainty.name()
    )?;
    match need.from.as_slice() {
        [] => writeln!(out)?,
        fields => writeln!(out, ", from `{}`", fields.join("`, `"))?,
    }
    writeln!(out, "      why       {}", need.why)?;
    for (key, value) in &need.keys {
        writeln!(out, "      key       {key} = {value}")?;
    }
    Ok(())
}

fn planned_need_json(need: &PlannedNeed) -> Value {
    let keys: Vec<Value> = need
        .keys
        .iter()
        .map(|(key, value)| json!({ "key": key, "values": [value] }))
        .collect();
    json!({
        "role": need.role,
        "action": need.action,
        "on": need.on,
        "from": need.from,
        "when": need.when,
        "required": need.required,
        "certainty": need.certainty.name(),
        "why": need.why,
        "page": need.page,
        "keys": keys,
    })
}

fn write_need(out: &mut String, need: &Need<'_>) -> fmt::Result {
    let open = if need.resource_known {
        ""
    } else {
        " (form only)"
    };
    let asked = if need.required {
        "required"
    } else {
        "possible"
    };
    writeln!(out, "\n    {}", need.action)?;
    writeln!(
        out,
        "      on        {}{open}",
        printable(need.resource_arn)
    )?;
    for spelling in need.spellings {
        writeln!(out, "             or {}", printable(spelling))?;
    }
    write!(out, "                {asked}, {}", need.certainty.name())?;
    match need.source_field {
        Some(field) => writeln!(out, ", from `{field}`")?,
        None => writeln!(out)?,
    }
    writeln!(out, "      why       {}", need.why)?;
    for (key, values) in need.context {
        writeln!(
            out,
            "      key       {key} = {}",
            printable(&values.join(", "))
        )?;
    }
    Ok(())
}

fn need_json(need: &Need<'_>) -> Value {
    let keys: Vec<Value> = need
        .context
        .iter()
        .map(|(key, values)| json!({ "key": key, "values": values }))
        .collect();
    json!({
        "role_arn": need.role_arn,
        "role_of": need.role_of,
        "action": need.action,
        "resource_arn": need.resource_arn,
        "resource_known": need.resource_known,
        "spellings": need.spellings,
        "required": need.required,
        "certainty": need.certainty.name(),
        "why": need.why,
        "from": need.source_field,
        "page": need.page,
        "keys": keys,
    })
}

fn rule(traced: &Traced) -> String {
    match (traced.file, traced.has_row) {
        _ if traced.by_event_type => "its eventType".to_owned(),
        (Some(file), true) => format!("its row in {file}"),
        (Some(file), false) => format!("its name, with {file}"),
        (None, _) => "its name".to_owned(),
    }
}

fn write_request(out: &mut String, request: &TracedRequest, planned: bool) -> fmt::Result {
    writeln!(out, "\n  {}", request.action)?;
    let condition = request.when.as_deref().unwrap_or_default();
    match request.asked {
        Asked::If => writeln!(out, "    asked     if {condition}")?,
        Asked::Yes => writeln!(out, "    asked     as the condition holds: {condition}")?,
        Asked::No => {
            return writeln!(
                out,
                "    not asked: the condition does not hold: {condition}"
            );
        }
        Asked::NotShown => writeln!(
            out,
            "    asked     if {condition}, which the record does not show"
        )?,
        Asked::Always => writeln!(out, "    asked     for every such event")?,
    }
    for resource in &request.resources {
        write_resource(out, resource, planned)?;
    }
    let of_places = |key: &&TracedKey| planned || key.from.starts_with('`');
    for key in request.keys.iter().filter(of_places) {
        let values = match &key.values {
            Some(values) if values.is_empty() => " absent".to_owned(),
            Some(values) => format!(" = {}", printable(&values.join(", "))),
            None if planned => String::new(),
            None => " unknown".to_owned(),
        };
        writeln!(out, "    key       {}{values}", printable(&key.key))?;
        writeln!(out, "              {}", source(&few_places(&key.from)))?;
    }
    let others = request.keys.iter().filter(|key| !of_places(key));
    write_keys_without_places(out, &others.collect::<Vec<_>>())
}

/// Many keys have no place in the record: all of them with the same state for the same reason in one.
fn write_keys_without_places(out: &mut String, keys: &[&TracedKey]) -> fmt::Result {
    let mut by_reason: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for key in keys {
        let (state, name) = match &key.values {
            Some(values) if values.is_empty() => ("absent", printable(&key.key)),
            Some(values) => {
                let values = printable(&values.join(", "));
                ("key", format!("{} = {values}", printable(&key.key)))
            }
            None => ("unknown", printable(&key.key)),
        };
        by_reason.entry((state, &key.from)).or_default().push(name);
    }
    for ((state, reason), names) in by_reason {
        let last = names.len().saturating_sub(1);
        let mut line = format!("    {state:<9}");
        for (at, name) in names.iter().enumerate() {
            let end = if at < last { "," } else { "" };
            if line.len() + name.len() > WIDTH {
                writeln!(out, "{line}")?;
                line = " ".repeat(13);
            }
            line.push_str(&format!(" {name}{end}"));
        }
        writeln!(out, "{line}\n              {reason}")?;
    }
    Ok(())
}

/// Columns that a list of names takes.
const WIDTH: usize = 98;

fn write_resource(out: &mut String, resource: &TracedResource, planned: bool) -> fmt::Result {
    let TracedResource {
        arn,
        known,
        spellings,
        required,
        certainty,
        from,
    } = resource;
    let open = if *known || planned {
        ""
    } else {
        " (form only)"
    };
    writeln!(out, "    resource  {}{open}", printable(arn))?;
    for spelling in spellings {
        writeln!(out, "           or {}", printable(spelling))?;
    }
    let asked = if *required {
        "required"
    } else {
        "possible (AWS may ask it)"
    };
    let (certainty, source) = (certainty.name(), source(from));
    writeln!(out, "              {asked}, {certainty}, {source}")
}

/// Some keys have dozens of places, one or two for each operation that feeds them: `--format json`
/// lists them all.
fn few_places(from: &str) -> String {
    const FEW: usize = 4;
    let places: Vec<&str> = from.split("`, `").collect();
    match places.get(..FEW) {
        Some(few) if places.len() > FEW + 1 => {
            format!("{}`, and {} more", few.join("`, `"), places.len() - FEW)
        }
        _ => from.to_owned(),
    }
}

/// Places are quoted; what is not is said in words.
fn source(from: &str) -> String {
    match from.starts_with('`') {
        true => format!("from {from}"),
        false => from.to_owned(),
    }
}

fn request_json(request: &TracedRequest) -> Value {
    let resource = |resource: &TracedResource| {
        json!({
            "arn": resource.arn,
            "known": resource.known,
            "spellings": resource.spellings,
            "required": resource.required,
            "certainty": resource.certainty.name(),
            "from": resource.from,
        })
    };
    let key = |key: &TracedKey| {
        let state = match &key.values {
            Some(values) if values.is_empty() => "absent",
            Some(_) => "known",
            None => "unknown",
        };
        json!({ "key": key.key, "state": state, "values": key.values, "from": key.from })
    };
    json!({
        "action": request.action,
        "when": request.when,
        "asked": request.asked.name(),
        "resources": request.resources.iter().map(resource).collect::<Vec<_>>(),
        "keys": request.keys.iter().map(key).collect::<Vec<_>>(),
    })
}
