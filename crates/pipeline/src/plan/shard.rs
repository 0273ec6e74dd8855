//! A part of a plan that one of several machines works: which log files are in it.

use std::fmt;
use std::str::FromStr;

use retrial_cloudtrail::LogKey;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::file::layout_day;

/// No array of jobs is larger: AWS Batch's own limit.
const MOST_SHARDS: u32 = 10_000;

/// One of several shards, by number from 0.
///
/// A log file is of the shard that its account's name is hashed to; the account is the one in its folders,
/// else in its name. So a record and its duplicates, which have one recipient account, are in one shard,
/// and mostly a session's calls and the record that issued it, in whatever Regions they are. A file that
/// names no account is of the shard of its whole key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shard {
    /// Which, from 0.
    pub index: u32,
    /// How many there are.
    pub count: u32,
}

impl Shard {
    /// All log files: the one shard of one.
    pub(crate) const WHOLE: Self = Self { index: 0, count: 1 };

    /// Whether a log file is in it.
    pub(crate) fn has(self, key: &str) -> bool {
        // The folders of a delivery day are taken at their word, so that whole places are a shard's.
        let place = layout_day(key).map(|(folder, _)| format!("{folder}a.json"));
        let account = place
            .as_deref()
            .and_then(|place| LogKey::parse(place).account);
        let account = account.or_else(|| LogKey::parse(key).account);
        self.has_text(account.unwrap_or(key))
    }

    /// Whether any of the delivery days in a folder may be.
    pub(crate) fn has_place(self, folder: &str) -> bool {
        let account = LogKey::parse(&format!("{folder}a.json"))
            .account
            .map(str::to_owned);
        account.is_none_or(|account| self.has_text(&account))
    }

    fn has_text(self, text: &str) -> bool {
        // Stored nowhere, but all shards of an output must agree: neither hash nor seed may ever change.
        let hash = XxHash3_64::oneshot(text.as_bytes());
        hash % u64::from(self.count.max(1)) == u64::from(self.index)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

/// Why a text is no shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardError {
    /// Not two numbers.
    #[error("`{text}` is no shard such as 0/8")]
    NoShard {
        /// The text.
        text: String,
    },
    /// Not one of so many.
    #[error("`{text}`: the shards of {count} are 0 to {last}", last = count.saturating_sub(1))]
    NoSuch {
        /// The text.
        text: String,
        /// How many there are.
        count: u32,
    },
    /// None, or too many.
    #[error("`{text}`: from 1 to {MOST_SHARDS} shards")]
    Count {
        /// The text.
        text: String,
    },
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Self, ShardError> {
        let owned = || text.to_owned();
        let parts = text.split_once('/').and_then(|(index, count)| {
            let number = |digits: &str| -> Option<u32> {
                let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
                plain.then(|| digits.parse().ok()).flatten()
            };
            Some((number(index)?, number(count)?))
        });
        let Some((index, count)) = parts else {
            return Err(ShardError::NoShard { text: owned() });
        };
        if !(1..=MOST_SHARDS).contains(&count) {
            return Err(ShardError::Count { text: owned() });
        }
        if index >= count {
            return Err(ShardError::NoSuch {
                text: owned(),
                count,
            });
        }
        Ok(Self { index, count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        let check = |text: &str, expect: Result<&str, &str>| {
            let found = text.parse::<Shard>();
            let found = found.map(|shard| shard.to_string());
            let found = found.map_err(|error| error.to_string());
            let expect = expect.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(found, expect, "{text}");
        };
        check("0/1", Ok("0/1"));
        check("6/7", Ok("6/7"));
        check("7/7", Err("`7/7`: the shards of 7 are 0 to 6"));
        check("0/0", Err("`0/0`: from 1 to 10000 shards"));
        check("0/10001", Err("`0/10001`: from 1 to 10000 shards"));
        check("-1/7", Err("`-1/7` is no shard such as 0/8"));
        check("1", Err("`1` is no shard such as 0/8"));
        check("1/2/3", Err("`1/2/3` is no shard such as 0/8"));
    }

    /// Which of seven shards has a key.
    fn of(key: &str) -> u32 {
        let shards = (0..7).map(|index| Shard { index, count: 7 });
        let having: Vec<Shard> = shards.filter(|shard| shard.has(key)).collect();
        let [shard] = having.as_slice() else {
            panic!("`{key}` is in {having:?}");
        };
        shard.index
    }

    #[test]
    fn an_account_is_in_one_shard() {
        let file = |account: &str, region: &str, day: &str| {
            format!("x/AWSLogs/o-a/{account}/CloudTrail/{region}/2026/11/{day}/f.json.gz")
        };
        let mut shards = std::collections::BTreeSet::new();
        for account in 100..150 {
            let account = format!("111122223{account}");
            let shard = of(&file(&account, "us-east-1", "02"));
            assert_eq!(of(&file(&account, "eu-west-1", "05")), shard);
            let flat = format!("{account}_CloudTrail_eu-west-1_20261102T0805Z_abc.json.gz");
            assert_eq!(of(&flat), shard);
            // What the folders say of a delivery day counts, whatever is in it.
            let place = format!("x/AWSLogs/o-a/{account}/CloudTrail/us-east-1/");
            assert!(
                Shard {
                    index: shard,
                    count: 7
                }
                .has_place(&place)
            );
            let other = "444455556666_CloudTrail_eu-west-1_20261102T0805Z_abc.json.gz";
            assert_eq!(of(&format!("{place}2026/11/02/{other}")), shard);
            let nested = format!("{place}2026/11/02/444455556666/CloudTrail/eu-west-1/f.json");
            assert_eq!(of(&nested), shard);
            shards.insert(shard);
        }
        assert_eq!(shards.len(), 7);
        let named: std::collections::BTreeSet<u32> = (0..50)
            .map(|number| of(&format!("export-{number}.json")))
            .collect();
        assert_eq!(named.len(), 7);
    }
}
