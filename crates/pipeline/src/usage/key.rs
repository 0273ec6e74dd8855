//! A group's key as bytes whose order is the order of the rows.
//!
//! In the order of the table's sort columns, then the other members of the key: null is the byte 0; a
//! text is the byte 1, its bytes with each 0 followed by 255, and a 0. What follows begins with 0 or 1,
//! so that the end of a text is told from a 0 within it, and a text sorts before a longer one.

use std::borrow::Cow;

use retrial_tables::UsageRow;

use super::sums::Counted;
use crate::dates::EventDate;

/// What `usage` groups by, in the order of its rows; the date comes first of all.
#[derive(Debug, PartialEq)]
pub(super) struct Group<T> {
    pub(super) account_id: Option<T>,
    pub(super) principal_arn: Option<T>,
    pub(super) action: T,
    pub(super) resource_arn: Option<T>,
    pub(super) required: bool,
    pub(super) principal_type: Option<T>,
}

const SIGN: u32 = 1 << 31;

/// Replaces `key` by the key of a group.
pub(super) fn push_key(key: &mut Vec<u8>, date: EventDate, group: &Group<&str>) {
    key.clear();
    match date {
        None => key.push(0),
        Some(day) => {
            key.push(1);
            // The sign flipped, days before 1970 come before those after.
            key.extend((day.cast_unsigned() ^ SIGN).to_be_bytes());
        }
    }
    push_text(key, group.account_id);
    push_text(key, group.principal_arn);
    push_text(key, Some(group.action));
    push_text(key, group.resource_arn);
    key.push(u8::from(group.required));
    push_text(key, group.principal_type);
}

fn push_text(key: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        return key.push(0);
    };
    key.push(1);
    let mut rest = text.as_bytes();
    while let Some((before, after)) = memchr::memchr(0, rest).and_then(|zero| {
        let (before, after) = rest.split_at_checked(zero)?;
        Some((before, after.split_first()?.1))
    }) {
        key.extend(before);
        key.extend([0, 255]);
        rest = after;
    }
    key.extend(rest);
    key.push(0);
}

/// The date of a key.
pub(super) fn date_of(key: &[u8]) -> EventDate {
    match key {
        [1, a, b, c, d, ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]) ^ SIGN).cast_signed()),
        _ => None,
    }
}

impl<'g> Group<&'g str> {
    /// The group's row.
    pub(super) fn row(&self, (counts, event_id): Counted<'g>) -> UsageRow<'g> {
        UsageRow {
            account_id: self.account_id,
            principal_arn: self.principal_arn,
            principal_type: self.principal_type,
            action: self.action,
            resource_arn: self.resource_arn,
            required: self.required,
            ..counts.row(event_id)
        }
    }
}

impl<'k> Group<Cow<'k, str>> {
    /// With its texts as they are elsewhere.
    pub(super) fn borrowed(&self) -> Group<&str> {
        Group {
            account_id: self.account_id.as_deref(),
            principal_arn: self.principal_arn.as_deref(),
            action: &self.action,
            resource_arn: self.resource_arn.as_deref(),
            required: self.required,
            principal_type: self.principal_type.as_deref(),
        }
    }

    /// The group behind a key.
    pub(super) fn of_key(key: &'k [u8]) -> Self {
        let mut rest = match key {
            [1, _, _, _, _, rest @ ..] | [_, rest @ ..] => rest,
            [] => &[],
        };
        Self {
            account_id: take_text(&mut rest),
            principal_arn: take_text(&mut rest),
            action: take_text(&mut rest).unwrap_or_default(),
            resource_arn: take_text(&mut rest),
            required: rest.split_off_first() == Some(&1),
            principal_type: take_text(&mut rest),
        }
    }
}

fn take_text<'k>(rest: &mut &'k [u8]) -> Option<Cow<'k, str>> {
    if rest.split_off_first() != Some(&1) {
        return None;
    }
    let mut escaped = false;
    let mut end = 0;
    let text = loop {
        let Some(zero) = rest.get(end..).and_then(|rest| memchr::memchr(0, rest)) else {
            break std::mem::take(rest);
        };
        end += zero;
        if rest.get(end + 1) == Some(&255) {
            escaped = true;
            end += 2;
            continue;
        }
        let (text, after) = rest.split_at_checked(end)?;
        *rest = after.get(1..).unwrap_or_default();
        break text;
    };
    if !escaped {
        // It was a text: the first of these is quicker to say so.
        return Some(match std::str::from_utf8(text) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => String::from_utf8_lossy(text),
        });
    }
    // UTF-8 has no byte 255: behind a 0 it is always ours.
    let bytes = text.iter().copied().filter(|byte| *byte != 255).collect();
    let text: Vec<u8> = bytes;
    Some(Cow::Owned(String::from_utf8_lossy(&text).into_owned()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text() -> impl Strategy<Value = String> {
        proptest::collection::vec(
            prop::sample::select(vec!['\0', '\u{1}', 'a', 'ÿ', '\u{10ffff}']),
            0..4,
        )
        .prop_map(String::from_iter)
    }

    type Plain = (
        EventDate,
        Option<String>,
        Option<String>,
        String,
        Option<String>,
        bool,
        Option<String>,
    );

    fn plain() -> impl Strategy<Value = Plain> {
        let date = prop::option::of(prop::sample::select(vec![i32::MIN, -1, 0, 1, i32::MAX]));
        let option = || prop::option::of(text());
        (
            date,
            option(),
            option(),
            text(),
            option(),
            any::<bool>(),
            option(),
        )
    }

    fn key(plain: &Plain) -> Vec<u8> {
        let (date, account_id, principal_arn, action, resource_arn, required, principal_type) =
            plain;
        let mut key = vec![7];
        let group = Group {
            account_id: account_id.as_deref(),
            principal_arn: principal_arn.as_deref(),
            action: action.as_str(),
            resource_arn: resource_arn.as_deref(),
            required: *required,
            principal_type: principal_type.as_deref(),
        };
        push_key(&mut key, *date, &group);
        key
    }

    proptest! {
        #[test]
        fn keys_keep_value_and_order(a in plain(), b in plain()) {
            let (key_a, key_b) = (key(&a), key(&b));
            prop_assert_eq!(key_a.cmp(&key_b), a.cmp(&b));
            let group = Group::of_key(&key_a);
            let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
            let back: Plain = (
                date_of(&key_a),
                owned(group.account_id),
                owned(group.principal_arn),
                group.action.into_owned(),
                owned(group.resource_arn),
                group.required,
                owned(group.principal_type),
            );
            prop_assert_eq!(back, a);
        }
    }
}
