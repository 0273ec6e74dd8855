//! What reports are not to show, why, for whom and until when.
//!
//! ```toml
//! [[exclude]]
//! kind = "UnusedIAMRole"
//! principal = "arn:aws:iam::*:role/BreakGlass"
//! reason = "for emergencies"
//! owner = "platform"
//! expires = "2027-03-31"
//! ```
//!
//! An entry hides the findings that all of its matchers are about: `kind`, `id`, `principal`, `policy`,
//! `sid`, `action`, `resource`, `account`, `tag` (`key` or `key=value`, of the principal); `*` stands for
//! any text. `reason` and `owner` must be there. Through the day `expires` it holds; after it, what it
//! hid is shown again. What is hidden is counted.

use retrial_iam::Snapshot;
use serde::Deserialize;

use super::finding::{Finding, Hidden};
use super::idle::moment;
use super::kept::MICROS_PER_DAY;
use super::kind::FindingKind;
use super::report::{FindingReport, Occasion};

/// Why a file holds no exclusions; always with the line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExclusionError {
    /// It is no TOML, or has something that no entry has.
    #[error("line {line}: {cause}")]
    Form {
        /// From 1.
        line: usize,
        /// In the parser's words.
        cause: String,
    },
    /// An entry that would hide everything.
    #[error("line {line}: the entry says of nothing what it is about")]
    NoMatcher {
        /// From 1.
        line: usize,
    },
    /// A kind that findings do not have.
    #[error("line {line}: no finding is of the kind `{kind}`")]
    Kind {
        /// From 1.
        line: usize,
        /// As written.
        kind: String,
    },
    /// A day that is none.
    #[error("line {line}: `{expires}` is no day such as `2027-03-31`")]
    Expires {
        /// From 1.
        line: usize,
        /// As written.
        expires: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    exclude: Vec<toml::Spanned<Entry>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: Option<String>,
    kind: Option<String>,
    principal: Option<String>,
    policy: Option<String>,
    sid: Option<String>,
    action: Option<String>,
    resource: Option<String>,
    account: Option<String>,
    tag: Option<String>,
    reason: String,
    owner: String,
    expires: Option<String>,
}

/// The entries of a file.
#[derive(Debug, Default)]
pub struct Exclusions {
    entries: Vec<Exclusion>,
}

#[derive(Debug)]
struct Exclusion {
    entry: Entry,
    kind: Option<FindingKind>,
    /// The first moment at which it holds no more.
    end: Option<i64>,
}

impl Exclusions {
    /// Reads a file.
    ///
    /// # Errors
    /// Where something of it is not understood: nothing is then excluded.
    pub fn read(text: &str) -> Result<Exclusions, ExclusionError> {
        let line_at = |offset: usize| {
            let before = text.as_bytes().iter().take(offset);
            1 + before.filter(|byte| **byte == b'\n').count()
        };
        let file: File = toml::from_str(text).map_err(|error| ExclusionError::Form {
            line: line_at(error.span().map_or(0, |span| span.start)),
            cause: one_line(error.message()),
        })?;
        let mut entries = Vec::new();
        for spanned in file.exclude {
            let line = line_at(spanned.span().start);
            entries.push(Exclusion::new(spanned.into_inner(), line)?);
        }
        Ok(Exclusions { entries })
    }

    /// Hides what the entries are about; gives how many entries have run out.
    pub(crate) fn apply(&self, report: &mut FindingReport, occasion: &Occasion<'_>) -> usize {
        // The last moment of the day that findings are as of is still that day.
        let now = occasion.as_of.saturating_sub(1);
        let over = |exclusion: &&Exclusion| exclusion.end.is_some_and(|end| end <= now);
        let valid: Vec<&Exclusion> = self.entries.iter().filter(|one| !over(one)).collect();
        for finding in &mut report.findings {
            if finding.hidden.is_some() {
                continue;
            }
            let hides = valid
                .iter()
                .find(|exclusion| exclusion.is_about(finding, occasion.snapshot));
            finding.hidden = hides.map(|exclusion| {
                Hidden::Excluded(format!(
                    "{} ({})",
                    exclusion.entry.reason, exclusion.entry.owner
                ))
            });
        }
        self.entries.iter().filter(over).count()
    }
}

fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ")
}

impl Exclusion {
    fn new(entry: Entry, line: usize) -> Result<Exclusion, ExclusionError> {
        let kind = match &entry.kind {
            None => None,
            Some(name) => Some(
                FindingKind::of_name(name).ok_or_else(|| ExclusionError::Kind {
                    line,
                    kind: name.clone(),
                })?,
            ),
        };
        let end = match &entry.expires {
            None => None,
            Some(text) => Some(
                moment(text)
                    .filter(|_| text.len() == 10)
                    .map(|begin| begin + MICROS_PER_DAY)
                    .ok_or_else(|| ExclusionError::Expires {
                        line,
                        expires: text.clone(),
                    })?,
            ),
        };
        let matchers = [
            &entry.id,
            &entry.kind,
            &entry.principal,
            &entry.policy,
            &entry.sid,
            &entry.action,
            &entry.resource,
            &entry.account,
            &entry.tag,
        ];
        if matchers.iter().all(|matcher| matcher.is_none()) {
            return Err(ExclusionError::NoMatcher { line });
        }
        Ok(Exclusion { entry, kind, end })
    }

    fn is_about(&self, finding: &Finding, snapshot: &Snapshot) -> bool {
        let entry = &self.entry;
        let is = |pattern: &Option<String>, text: &Option<String>| match (pattern, text) {
            (None, _) => true,
            (Some(pattern), Some(text)) => matches(pattern, text),
            (Some(_), None) => false,
        };
        self.kind.is_none_or(|kind| kind == finding.kind)
            && entry.id.as_ref().is_none_or(|id| *id == finding.id())
            && is(&entry.principal, &finding.principal_arn)
            && is(&entry.policy, &finding.policy)
            && is(&entry.sid, &finding.sid)
            && is(&entry.action, &finding.action)
            && is(&entry.resource, &finding.resource_arn)
            && is(&entry.account, &finding.account_id)
            && entry
                .tag
                .as_ref()
                .is_none_or(|tag| has_tag(tag, finding, snapshot))
    }
}

fn has_tag(wanted: &str, finding: &Finding, snapshot: &Snapshot) -> bool {
    let (key, value) = match wanted.split_once('=') {
        Some((key, value)) => (key, Some(value)),
        None => (wanted, None),
    };
    let principal = finding
        .principal_arn
        .as_deref()
        .and_then(|arn| snapshot.principal(arn));
    principal.is_some_and(|principal| {
        principal.tags.iter().any(|(name, has)| {
            name.eq_ignore_ascii_case(key) && value.is_none_or(|value| matches(value, has))
        })
    })
}

/// Whether a text matches a pattern in which `*` stands for any text.
fn matches(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(first) = pieces.next() else {
        return false;
    };
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            match rest.split_once(before) {
                Some((_, after)) => rest = after,
                None => return false,
            }
        }
    }
    match last {
        Some(last) => rest.len() >= last.len() && rest.ends_with(last),
        None => rest.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check =
            |pattern, text, expect| assert_eq!(matches(pattern, text), expect, "{pattern} {text}");
        check("a", "a", true);
        check("a", "ab", false);
        check("a*", "ab", true);
        check("*b", "ab", true);
        check("a*c", "abc", true);
        check("a*c", "ac", true);
        check("ab*bc", "abc", false);
        check("a*b*c", "aXbYc", true);
        check("a*b*c", "aXc", false);
        check("*", "", true);
    }

    #[track_caller]
    fn refused(text: &str, expect: &str) {
        let error = Exclusions::read(text).expect_err("is refused");
        assert_eq!(error.to_string(), expect);
    }

    #[test]
    fn errors_say_the_line() {
        refused(
            "[[exclude]]\nreason = \"r\"\nowner = \"o\"\n",
            "line 1: the entry says of nothing what it is about",
        );
        refused(
            "\n\n[[exclude]]\nkind = \"Nonsense\"\nreason = \"r\"\nowner = \"o\"\n",
            "line 3: no finding is of the kind `Nonsense`",
        );
        refused(
            "[[exclude]]\naccount = \"1\"\nreason = \"r\"\nowner = \"o\"\nexpires = \"soon\"\n",
            "line 1: `soon` is no day such as `2027-03-31`",
        );
        let error = Exclusions::read("[[exclude]]\nwhat = 1\nreason = \"r\"\nowner = \"o\"\n");
        let error = error.expect_err("is refused").to_string();
        assert!(error.starts_with("line 2: unknown field `what`"), "{error}");
        let error = Exclusions::read("[[exclude]]\naccount = \"1\"\nowner = \"o\"\n");
        let error = error.expect_err("is refused").to_string();
        assert!(error.contains("missing field `reason`"), "{error}");
    }
}
