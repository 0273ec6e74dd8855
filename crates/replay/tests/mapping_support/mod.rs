//! Maps the text of a record and writes what comes out in lines that a reviewer can read.

use bumpalo::Bump;
use retrial_cloudtrail::{Record, RecordParser};
use retrial_iam::{Catalogue, KeyState, Snapshot};
use retrial_replay::{Facts, Mapped, MappedRequest, MappedResource, Mapping};

pub const ACCOUNT: &str = "111122223333";

/// The bundled mapping.
pub fn mapping() -> Mapping {
    Mapping::bundled(Catalogue::bundled()).unwrap_or_else(|error| panic!("{error}"))
}

/// Maps one record and hands the result to `read`.
pub fn map_text<T>(
    mapping: &Mapping,
    text: &str,
    snapshot: Option<&Snapshot>,
    read: impl FnOnce(&Record<'_>, &Mapped<'_>) -> T,
) -> T {
    let arena = Bump::new();
    RecordParser::new()
        .parse(text.as_bytes(), |record| {
            let facts = Facts::of(record, Catalogue::bundled(), snapshot);
            let mapped = mapping.map(record, &facts, &arena);
            read(record, &mapped)
        })
        .unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// One line per request, with the condition keys that begin so.
pub fn lines(mapped: &Mapped<'_>, with_keys: Option<&str>) -> Vec<String> {
    match mapped {
        Mapped::Requests(requests) => requests
            .iter()
            .map(|request| line(request, with_keys))
            .collect(),
        Mapped::NoPermissionNeeded => vec!["no permission needed".to_owned()],
        Mapped::NotAnIamAction(why) => vec![format!("not an IAM action: {why}")],
        Mapped::Unmapped => vec!["unmapped".to_owned()],
    }
}

/// `required verified s3:GetObject arn:aws:s3:::bucket/key @111122223333 {s3:versionid absent}`:
/// `?` before a resource that is not known whole, `~` before another spelling, `@` before the owner
/// where the ARN does not name it.
fn line(request: &MappedRequest<'_>, with_keys: Option<&str>) -> String {
    let required = if request.required {
        "required"
    } else {
        "possible"
    };
    let mut line = format!(
        "{required} {} {} {}",
        request.certainty.name(),
        request.action,
        resource(&request.resource)
    );
    if let Some(prefix) = with_keys {
        let shown = request
            .keys
            .iter()
            .filter(|(key, _)| key.starts_with(prefix));
        let keys: Vec<String> = shown.map(|(key, state)| key_state(key, *state)).collect();
        if !keys.is_empty() {
            line.push_str(&format!(" {{{}}}", keys.join("; ")));
        }
    }
    line
}

pub fn resource(resource: &MappedResource<'_>) -> String {
    let owner = |arn: &str, account: Option<&str>| match arn.split(':').nth(4) {
        Some(named) if Some(named) == account => String::new(),
        _ => format!(" @{}", account.unwrap_or("?")),
    };
    match *resource {
        MappedResource::Any => "*".to_owned(),
        MappedResource::Arn {
            arn,
            spellings,
            account,
        } => {
            let others: String = spellings
                .iter()
                .map(|spelling| format!(" ~{spelling}"))
                .collect();
            format!("{arn}{others}{}", owner(arn, account))
        }
        MappedResource::Unknown { pattern, account } => {
            format!("?{pattern}{}", owner(pattern, account))
        }
    }
}

fn key_state(key: &str, state: KeyState<'_>) -> String {
    match state {
        KeyState::Known(values) => match values {
            retrial_iam::Values::One(value) => format!("{key}={value}"),
            retrial_iam::Values::Many(values) => format!("{key}=[{}]", values.join(", ")),
        },
        KeyState::Absent => format!("{key} absent"),
        KeyState::Unknown => format!("{key} unknown"),
    }
}
