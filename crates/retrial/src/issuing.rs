//! The session behind a call, from the record that issued it, where the same log files have that.

use retrial_cloudtrail::{LogKey, Record, RecordParser};
use retrial_replay::{Inheritance, Session, SessionDocuments, issued_session, session_key};
use retrial_storage::Source;

use crate::explain::scan;

/// How much earlier and later than a call's record that of its session's issue is looked for, in
/// minutes: as a run does.
const BEFORE: i64 = 36 * 60;
const AFTER: i64 = 15;

/// People chain two or three roles.
const LONGEST_CHAIN: usize = 16;

/// More than the session policies of one role chain ever take, compiled.
const DOCUMENT_BYTES: usize = 16 << 20;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A log file and where it is.
#[derive(Clone, Copy)]
pub(crate) struct LogFile<'p> {
    pub(crate) source: &'p dyn Source,
    pub(crate) key: &'p str,
}

/// One session of a role chain.
struct Link {
    session: Session,
    /// The key of the session that asked for it.
    asking: Option<String>,
    minute: i64,
}

/// The session of the record `text` of a file, with what it inherits; `None` where the record depends on
/// none, and where nothing in `files` issued it. Files that cannot be read have nothing.
pub(crate) fn session_of(text: &[u8], file: &str, files: &[LogFile<'_>]) -> Option<Session> {
    let (mut key, mut minute) = RecordParser::new()
        .parse(text, |record| {
            Some((session_key(record)?.to_owned(), minute_of(file, record)?))
        })
        .ok()??;
    let mut documents = SessionDocuments::new(DOCUMENT_BYTES);
    let mut chain: Vec<Session> = Vec::new();
    while chain.len() < LONGEST_CHAIN {
        let Some(link) = issued(&key, minute, files, &mut documents) else {
            break;
        };
        chain.push(link.session);
        match link.asking {
            Some(asking) => (key, minute) = (asking, link.minute),
            None => break,
        }
    }
    let first = chain.pop()?;
    Some(
        chain
            .into_iter()
            .rev()
            .fold(first, |asking, session| session.inherit(&asking)),
    )
}

/// The first record that issued `key` near `minute`.
fn issued(
    key: &str,
    minute: i64,
    files: &[LogFile<'_>],
    documents: &mut SessionDocuments,
) -> Option<Link> {
    let near = minute - BEFORE..=minute + AFTER;
    let may_hold =
        |file: &&LogFile<'_>| delivered(file.key).is_none_or(|delivered| near.contains(&delivered));
    let mut parser = RecordParser::new();
    for file in files.iter().filter(may_hold) {
        let Ok(body) = file.source.open(file.key) else {
            continue;
        };
        let mut found = None;
        scan(body, |text| {
            let names_key = text.windows(key.len()).any(|part| part == key.as_bytes());
            if names_key {
                let link = parser.parse(text, |record| {
                    let minute = minute_of(file.key, record)?;
                    let arena = bumpalo::Bump::new();
                    let issued = issued_session(record, &arena)?;
                    if issued.access_key_id != key || !near.contains(&minute) {
                        return None;
                    }
                    let facts = issued.facts();
                    Some(Link {
                        session: Session::new(&facts, documents),
                        asking: match facts.inheritance() {
                            Inheritance::Session(asking) => Some(asking.to_owned()),
                            Inheritance::Nothing | Inheritance::NotShown => None,
                        },
                        minute,
                    })
                });
                found = link.ok().flatten();
            }
            found.is_some()
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The minute of a log file's delivery, as far as its name tells.
fn delivered(key: &str) -> Option<i64> {
    let key = LogKey::parse(key);
    let time = key.stamp.or(key.date.map(|day| day.begin()))?;
    Some(time.micros().div_euclid(MICROS_PER_MINUTE))
}

fn minute_of(file: &str, record: &Record<'_>) -> Option<i64> {
    let own = || Some(record.event_time?.micros().div_euclid(MICROS_PER_MINUTE));
    delivered(file).or_else(own)
}
