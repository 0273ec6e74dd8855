//! Records that come again, records that only look as if they did, and records that belong together.

use serde_json::json;

use super::stage::starter_caller;
use super::world::{ACCOUNT, BUCKET, IRELAND, PLACE, VIRGINIA};
use super::{BASE, Planted, Slot, Story};
use crate::caller;
use crate::calls::ecr::{self, Repository};
use crate::calls::{others, s3, sagemaker};
use crate::clock::{DAY, HOUR};
use crate::record::Draft;
use crate::truth::*;

/// Some time after the sessions.
const START: i64 = BASE + 8 * HOUR;
/// Documentation and exports repeat ids like this one on different events.
const PLACEHOLDER: &str = "EXAMPLE1-90ab-cdef-fedc-ba987EXAMPLE";

pub(super) fn plant(planted: &mut Planted, days: u64) {
    again(planted, days);
    conflicts(planted);
    without_an_id(planted);
    in_another_account(planted);
    belonging_together(planted);
}

fn stop(planted: &mut Planted) -> Draft {
    sagemaker::stop_training_job(PLACE, &format!("planted-{}", planted.rng.hex(8)))
}

/// A record that is not put anywhere yet: its text, its id.
fn made(planted: &mut Planted, slot: Slot) -> (String, String) {
    let draft = stop(planted);
    planted.make(slot.0 - 300, &starter_caller(), &draft)
}

/// Puts a record that is kept, and counts it.
fn keep(planted: &mut Planted, slot: Slot, text: String) {
    let draft = stop(planted);
    planted.tally.count_event(&draft, AGREES);
    planted.files.entry(slot).or_default().push(text);
}

fn drop_again(planted: &mut Planted, slot: Slot, text: String) {
    planted.tally.duplicate();
    planted.files.entry(slot).or_default().push(text);
}

fn tell(planted: &mut Planted, id: &str, event_ids: &[String], counts: [u64; 3], why: &str) {
    let [kept, duplicate, conflicting] = counts;
    planted.repeats.push(json!({
        "id": id, "event_ids": event_ids, "kept": kept, "duplicate": duplicate, "conflicting": conflicting, "why": why,
    }));
}

/// The same record in other places; only within 7 days of delivery is it a duplicate.
fn again(planted: &mut Planted, days: u64) {
    type Row = (&'static str, i64, &'static str, bool, &'static str);
    const WEEK: i64 = 7 * DAY;
    const ROWS: [Row; 8] = [
        (
            "again-in-the-same-file",
            0,
            IRELAND,
            true,
            "the record stands twice in one file",
        ),
        (
            "again-in-another-file",
            300,
            IRELAND,
            true,
            "the record was delivered again",
        ),
        (
            "again-in-another-region",
            0,
            VIRGINIA,
            true,
            "two trails deliver into one bucket",
        ),
        (
            "again-on-the-next-day",
            DAY,
            IRELAND,
            true,
            "the record was delivered again a day later",
        ),
        (
            "again-after-five-days",
            5 * DAY,
            VIRGINIA,
            true,
            "the record was delivered again, elsewhere",
        ),
        (
            "again-after-seven-days",
            WEEK,
            IRELAND,
            true,
            "the last minute in which it is a duplicate",
        ),
        (
            "again-after-seven-days-and-a-minute",
            WEEK + 60,
            IRELAND,
            false,
            "the first minute in which it is not",
        ),
        (
            "again-after-eight-days",
            WEEK + DAY,
            IRELAND,
            false,
            "too late to be told from a record of its own",
        ),
    ];
    let last = BASE - BASE.rem_euclid(DAY) + (days as i64 - 2) * DAY;
    for (index, (id, later, region, duplicate, why)) in ROWS.into_iter().enumerate() {
        let slot = (START + 420 * index as i64, IRELAND);
        if slot.0 + later >= last {
            continue;
        }
        let (mut ids, mut counts) = (Vec::new(), [0, 0, 0]);
        for _ in 0..3 {
            let (text, event_id) = made(planted, slot);
            keep(planted, slot, text.clone());
            let second = (slot.0 + later, region);
            match duplicate {
                true => drop_again(planted, second, text),
                false => keep(planted, second, text),
            }
            counts[0] += if duplicate { 1 } else { 2 };
            counts[1] += u64::from(duplicate);
            ids.push(event_id);
        }
        tell(planted, id, &ids, counts, why);
    }
}

/// One id, several bodies.
fn conflicts(planted: &mut Planted) {
    let slot = (START + 2 * HOUR, IRELAND);
    let later = (START + 3 * HOUR, VIRGINIA);
    let (text, event_id) = made(planted, slot);
    let (other, other_id) = made(planted, slot);
    let other = other.replace(&other_id, &event_id);
    keep(planted, slot, text.clone());
    keep(planted, slot, other.clone());
    planted.tally.conflicting();
    // Both bodies are known by now.
    drop_again(planted, later, other);
    drop_again(planted, later, text);
    tell(
        planted,
        "conflicting-bodies",
        &[event_id],
        [2, 2, 1],
        "one id with two bodies, each of which comes again",
    );

    let mut first = 0;
    for file in 0..3 {
        let slot = (START + 4 * HOUR + 600 * file, IRELAND);
        for _ in 0..100 {
            let (text, event_id) = made(planted, slot);
            keep(planted, slot, text.replace(&event_id, PLACEHOLDER));
            first += 1;
            if first > 1 {
                planted.tally.conflicting();
            }
        }
    }
    tell(
        planted,
        "placeholder-id",
        &[PLACEHOLDER.into()],
        [300, 0, 299],
        "an id that tells nothing, on three hundred events",
    );
}

/// Records of version 1.0 have no id: their content decides.
fn without_an_id(planted: &mut Planted) {
    let slot = (START + 5 * HOUR, IRELAND);
    for index in 0..4 {
        let (text, event_id) = made(planted, slot);
        let text = text.replace(&format!(",\"eventID\":\"{event_id}\""), "");
        keep(planted, slot, text.clone());
        if index < 2 {
            drop_again(planted, (slot.0 + 1200, VIRGINIA), text);
        }
    }
    tell(
        planted,
        "without-an-id",
        &[],
        [4, 2, 0],
        "four records without an id, two of which come again",
    );
}

/// The key is the id and the account that the record was delivered to.
fn in_another_account(planted: &mut Planted) {
    let slot = (START + 6 * HOUR, IRELAND);
    let repository = Repository {
        name: "planted",
        account: ACCOUNT,
        region: IRELAND,
    };
    let draft = ecr::policy_execution(repository);
    let (text, event_id) = planted.make(slot.0 - 300, &caller::internal(ACCOUNT), &draft);
    let recipient = format!("\"recipientAccountId\":\"{ACCOUNT}\"");
    let other = text.replace(&recipient, "\"recipientAccountId\":\"200000000011\"");
    assert_ne!(text, other, "a record names its recipient");
    for text in [text, other] {
        planted.tally.count_event(&draft, NOT_AN_ACTION);
        planted.files.entry(slot).or_default().push(text);
    }
    let why = "the same id in another account is another record";
    tell(planted, "in-another-account", &[event_id], [2, 0, 0], why);
}

/// An addendum and what it amends; a `DeleteObjects` and its objects.
fn belonging_together(planted: &mut Planted) {
    let (slot, later) = ((START + 7 * HOUR, IRELAND), (START + 9 * HOUR, IRELAND));
    let caller = starter_caller();
    let story =
        |planted: &mut Planted, id: &str, expect, amends: Option<String>, event_ids, why| {
            planted.stories.push(Story {
                id: id.into(),
                expect,
                assumes: None,
                layer: None,
                amends,
                event_ids,
                why,
            });
        };
    let draft = stop(planted);
    let original = planted.put(slot, slot.0 - 300, &caller, &draft, AGREES);
    let addendum = others::addendum(draft, &original);
    let amending = planted.put(later, slot.0 - 300, &caller, &addendum, ADDENDUM);
    story(
        planted,
        "amended",
        AGREES,
        None,
        vec![original.clone()],
        "a call that a later record amends",
    );
    story(
        planted,
        "addendum",
        ADDENDUM,
        Some(original),
        vec![amending],
        "a record of its own, which names what it amends",
    );

    let draft = s3::delete_objects(BUCKET, &mut planted.rng);
    let at = slot.0 - 200;
    let whole = planted.put(slot, at, &caller, &draft, NOTHING_REQUIRED);
    let mut parts = Vec::new();
    for part in 0..3 {
        let draft = s3::delete_object(BUCKET, &format!("open/old-{part}.csv"), &mut planted.rng);
        parts.push(planted.put(slot, at, &caller, &draft, AGREES));
    }
    story(
        planted,
        "delete-objects",
        NOTHING_REQUIRED,
        None,
        vec![whole],
        "what it asks stands in the records of its objects",
    );
    story(
        planted,
        "delete-object-of-many",
        AGREES,
        None,
        parts,
        "one record for each object",
    );
}
