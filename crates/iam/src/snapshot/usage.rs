//! What AWS itself tells of use: last-accessed information and credential reports.
//!
//! `last-accessed.json` holds, for each user and role by its ARN, what `aws iam
//! get-service-last-accessed-details` prints (all pages: one object, or an array of them); of action
//! level where the job was started with `--granularity ACTION_LEVEL`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>
//!
//! `credential-report.csv` is the decoded content of `aws iam get-credential-report`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_getting-report.html>

use std::collections::BTreeMap;

use serde::Deserialize;

use super::json::{Entries, JsonProblem, read_one};

/// What AWS tells of the services that a user or role has used, over its tracking period (400 days).
/// Attempts that were denied count too.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct LastAccessed {
    /// When the information was put together, as written.
    pub created: Option<String>,
    /// By the service's IAM prefix. A service that the principal has no permission for is not in it.
    pub services: BTreeMap<String, ServiceLastAccessed>,
}

/// The last use of one service.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ServiceLastAccessed {
    /// As written; `None` where it was not used in the tracking period.
    pub last_used: Option<String>,
    /// The actions that AWS tracks, by name in lower case, each with its last use. None where the
    /// information is not of action level.
    pub actions: BTreeMap<String, Option<String>>,
}

/// A user's passwords and access keys, as the credential report has them.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's ARN.
    pub arn: String,
    /// Whether there is a password.
    pub password: bool,
    /// When it was last used, as written; `None` where it was not, or AWS does not know.
    pub password_last_used: Option<String>,
    /// When it was last changed.
    pub password_changed: Option<String>,
    /// Whether a device for multi-factor authentication is there.
    pub mfa: bool,
    /// The two access keys, active or not.
    pub access_keys: [ReportedKey; 2],
}

/// One access key of a credential report, which does not tell its id.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ReportedKey {
    /// Whether it is active.
    pub active: bool,
    /// When it was made or last changed, as written.
    pub rotated: Option<String>,
    /// When it was last used.
    pub last_used: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Pages {
    One(Page),
    More(Vec<Page>),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Page {
    job_status: Option<String>,
    job_creation_date: Option<String>,
    services_last_accessed: Vec<ServiceEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceEntry {
    service_namespace: String,
    last_authenticated: Option<String>,
    #[serde(default)]
    tracked_actions_last_accessed: Vec<ActionEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ActionEntry {
    action_name: String,
    last_accessed_time: Option<String>,
}

/// What a file of last-accessed information holds.
#[derive(Debug, Default)]
pub(super) struct ReadLastAccessed {
    pub(super) by_principal: BTreeMap<String, LastAccessed>,
    pub(super) problems: Vec<String>,
}

pub(super) fn read_last_accessed(text: &str) -> Result<ReadLastAccessed, JsonProblem> {
    let entries: Entries<'_, Pages> = read_one(text)?;
    let mut read = ReadLastAccessed::default();
    for (arn, pages) in entries.0 {
        let pages = match pages {
            Pages::One(page) => vec![page],
            Pages::More(pages) => pages,
        };
        let unfinished = |page: &Page| {
            let status = page.job_status.as_deref();
            status.is_some_and(|status| status != "COMPLETED")
        };
        if pages.iter().any(unfinished) {
            read.problems.push(format!(
                "`{arn}`: the job is not `COMPLETED`, and what it says does not count"
            ));
        } else if read.by_principal.contains_key(&*arn) {
            read.problems.push(format!(
                "`{arn}` is listed more than once: the first entry counts"
            ));
        } else {
            read.by_principal.insert(arn.into_owned(), joined(pages));
        }
    }
    Ok(read)
}

fn joined(pages: Vec<Page>) -> LastAccessed {
    let mut joined = LastAccessed::default();
    for page in pages {
        joined.created = joined.created.or(page.job_creation_date);
        for entry in page.services_last_accessed {
            let actions = entry.tracked_actions_last_accessed.into_iter();
            let actions = actions.map(|action| {
                (
                    action.action_name.to_ascii_lowercase(),
                    action.last_accessed_time,
                )
            });
            let service = ServiceLastAccessed {
                last_used: entry.last_authenticated,
                actions: actions.collect(),
            };
            joined
                .services
                .insert(entry.service_namespace.to_ascii_lowercase(), service);
        }
    }
    joined
}

/// Reads a credential report: its users, or the line and what is wrong there.
pub(super) fn read_credential_report(text: &str) -> Result<Vec<Credentials>, String> {
    let mut lines = (1..).zip(text.lines());
    let header = lines.next().map(|(_, line)| cells(line));
    let header = header.unwrap_or_default();
    for column in ["user", "arn", "password_enabled", "access_key_1_active"] {
        if !header.iter().any(|name| name == column) {
            return Err(format!(
                "1:1: the file has no column `{column}`, which a credential report has"
            ));
        }
    }
    let mut users = Vec::new();
    for (number, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
        let cells = cells(line);
        if cells.len() != header.len() {
            return Err(format!(
                "{number}:1: the line has {} cells, and the header {}",
                cells.len(),
                header.len()
            ));
        }
        users.push(
            Row {
                header: &header,
                cells: &cells,
            }
            .credentials(),
        );
    }
    Ok(users)
}

/// One line of a credential report.
struct Row<'r> {
    header: &'r [String],
    cells: &'r [String],
}

impl Row<'_> {
    fn cell(&self, column: &str) -> Option<&str> {
        let place = self.header.iter().position(|name| name == column)?;
        self.cells.get(place).map(String::as_str)
    }

    fn is_true(&self, column: &str) -> bool {
        self.cell(column) == Some("true")
    }

    /// `N/A`, `no_information` and `not_supported` are no times.
    fn time(&self, column: &str) -> Option<String> {
        let text = self.cell(column)?;
        text.starts_with(|first: char| first.is_ascii_digit())
            .then(|| text.to_owned())
    }

    fn access_key(&self, number: usize) -> ReportedKey {
        let column = |name: &str| format!("access_key_{number}_{name}");
        ReportedKey {
            active: self.is_true(&column("active")),
            rotated: self.time(&column("last_rotated")),
            last_used: self.time(&column("last_used_date")),
        }
    }

    fn credentials(&self) -> Credentials {
        Credentials {
            arn: self.cell("arn").unwrap_or_default().to_owned(),
            password: self.is_true("password_enabled"),
            password_last_used: self.time("password_last_used"),
            password_changed: self.time("password_last_changed"),
            mfa: self.is_true("mfa_active"),
            access_keys: [self.access_key(1), self.access_key(2)],
        }
    }
}

/// The cells of a line of comma-separated values; a name with a comma stands in quotes.
fn cells(line: &str) -> Vec<String> {
    let mut cells = vec![String::new()];
    let mut quoted = false;
    let mut characters = line.trim_end_matches('\r').chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                push(&mut cells, '"');
            }
            '"' => quoted = !quoted,
            ',' if !quoted => cells.push(String::new()),
            other => push(&mut cells, other),
        }
    }
    cells
}

fn push(cells: &mut [String], character: char) {
    if let Some(cell) = cells.last_mut() {
        cell.push(character);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn a_credential_report() {
        let text = "user,arn,password_enabled,password_last_used,password_last_changed,mfa_active,access_key_1_active,access_key_1_last_rotated,access_key_1_last_used_date,access_key_2_active\n\
            <root_account>,arn:aws:iam::111122223333:root,not_supported,2026-01-02T03:04:05+00:00,not_supported,true,false,N/A,N/A,false\r\n\
            \"a,\"\"b\"\"\",\"arn:aws:iam::111122223333:user/a,b\",true,no_information,2026-01-01T00:00:00+00:00,false,true,2025-01-01T00:00:00+00:00,N/A,false\n";
        let users = read_credential_report(text).unwrap();
        assert_eq!(users.len(), 2);
        let (root, user) = (users.first().unwrap(), users.last().unwrap());
        assert_eq!(
            root.password_last_used.as_deref(),
            Some("2026-01-02T03:04:05+00:00")
        );
        assert!(!root.password && root.mfa);
        assert_eq!(user.arn, "arn:aws:iam::111122223333:user/a,b");
        assert!(user.password && user.password_last_used.is_none());
        assert!(user.access_keys[0].active && user.access_keys[0].last_used.is_none());
        assert!(!user.access_keys[1].active);
    }

    #[test]
    fn what_is_no_credential_report() {
        let check = |text: &str, expect: &str| {
            assert_eq!(read_credential_report(text).unwrap_err(), expect);
        };
        check(
            "",
            "1:1: the file has no column `user`, which a credential report has",
        );
        check(
            "user,arn,password_enabled,access_key_1_active\na,b\n",
            "2:1: the line has 2 cells, and the header 4",
        );
    }

    #[test]
    fn last_accessed_information() {
        let text = r#"{"arn:aws:iam::111122223333:role/a": {"JobStatus": "COMPLETED",
            "JobCreationDate": "2026-11-09T00:00:00+00:00", "ServicesLastAccessed": [
            {"ServiceName": "Amazon S3", "ServiceNamespace": "s3", "LastAuthenticated": "2026-11-01T00:00:00+00:00",
             "TrackedActionsLastAccessed": [{"ActionName": "PutObject"}, {"ActionName": "GetObject", "LastAccessedTime": "2026-11-01T00:00:00+00:00"}]},
            {"ServiceName": "AWS KMS", "ServiceNamespace": "kms"}]},
            "arn:aws:iam::111122223333:role/b": {"JobStatus": "IN_PROGRESS", "ServicesLastAccessed": []}}"#;
        let read = read_last_accessed(text).unwrap();
        assert_eq!(read.problems.len(), 1);
        let role = read
            .by_principal
            .get("arn:aws:iam::111122223333:role/a")
            .unwrap();
        assert!(role.services.get("kms").unwrap().last_used.is_none());
        let s3 = role.services.get("s3").unwrap();
        assert_eq!(s3.actions.get("putobject"), Some(&None));
        assert!(s3.actions.get("getobject").unwrap().is_some());
        let error = read_last_accessed("{\"a\":\n 1}").err().unwrap();
        assert!(error.to_string().starts_with("2:"), "{error}");
    }
}
