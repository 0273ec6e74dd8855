//! What is delivered more than once: records in another region's file, on another day, and one id with
//! two bodies.

use serde_json::json;

use super::organisation::{IRELAND, People, RESEARCH, VIRGINIA};
use super::{Record, Week, slot};
use crate::calls::sagemaker::{self, Place};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::record::Caller;
use crate::truth::AGREES;

/// Ada's first calls of Monday stand in the file of these hours.
const MORNING: i64 = MONDAY + 8 * HOUR;

pub(super) fn plant(week: &mut Week, people: &People) {
    let again = [
        (
            "again-in-another-region",
            2..6,
            VIRGINIA,
            0,
            "two trails deliver into one bucket",
        ),
        (
            "again-on-the-next-day",
            6..8,
            IRELAND,
            DAY,
            "delivered again a day later",
        ),
    ];
    for (id, range, region, later, why) in again {
        let mut ids = Vec::new();
        for index in range {
            let (at, text) = morning(week, index);
            ids.push(event_id(&text));
            let to = slot(RESEARCH, region, at + later);
            week.slots.entry(to).or_default().push(Record { at, text });
            week.tally.duplicate();
        }
        tell(week, id, &ids, [ids.len() as u64, ids.len() as u64, 0], why);
    }
    let (at, text) = morning(week, 8);
    let id = event_id(&text);
    let request = week.later.uuid();
    let start = text.find("\"requestID\":\"").expect("a record has one") + 13;
    let other = format!(
        "{}{request}{}",
        &text[..start],
        &text[start + request.len()..]
    );
    week.slots
        .entry(slot(RESEARCH, VIRGINIA, at))
        .or_default()
        .push(Record { at, text: other });
    let place = Place {
        account: RESEARCH,
        region: IRELAND,
    };
    let draft = sagemaker::describe_training_job(place, "");
    let caller = Caller {
        principal_arn: Some(people.scientist.arn()),
        ..Caller::default()
    };
    week.tally.count(&caller, &draft, AGREES);
    week.tally.conflicting();
    tell(
        week,
        "one-id-two-bodies",
        &[id],
        [2, 0, 1],
        "the same event id on two records that differ",
    );
}

/// A record of Monday morning, by its place in its file.
fn morning(week: &mut Week, index: usize) -> (i64, String) {
    let records = week
        .slots
        .get_mut(&slot(RESEARCH, IRELAND, MORNING))
        .expect("Ada works on Monday");
    records.sort_by_key(|record| record.at);
    let record = &records[index];
    (record.at, record.text.clone())
}

fn event_id(text: &str) -> String {
    let start = text.find("\"eventID\":\"").expect("a record has one") + 11;
    text[start..start + 36].into()
}

fn tell(week: &mut Week, id: &str, event_ids: &[String], counts: [u64; 3], why: &str) {
    let [kept, duplicate, conflicting] = counts;
    week.repeats.push(json!({
        "id": id, "event_ids": event_ids, "kept": kept, "duplicate": duplicate, "conflicting": conflicting, "why": why,
    }));
}
