//! The records that issue the sessions of the week, and one session under a policy of its own.

use serde_json::json;

use super::Week;
use super::administration::administrator;
use super::organisation::*;
use super::research::CLI;
use crate::caller::{self, Identity, Session};
use crate::calls::sts::{Cut, Issue};
use crate::calls::{others, sts};
use crate::clock::{DAY, HOUR, MONDAY};

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";

pub(super) fn another_key(week: &mut Week) -> String {
    format!("ASIAEXAMPLE{}", week.later.upper(9))
}

/// IAM Identity Center's provider in an account, as its sign-ins name it.
pub(super) fn saml_provider(account: &str) -> String {
    let id = match account {
        RESEARCH => "0a1b2c3d4e5f6071",
        _ => "7160f5e4d3c2b1a0",
    };
    format!("arn:aws:iam::{account}:saml-provider/AWSSSO_{id}_DO_NOT_DELETE")
}

/// A person signs in at IAM Identity Center and gets a session, by its name and access key.
pub(super) fn sign_in(
    week: &mut Week,
    role: &Identity,
    (name, access_key): (&str, &str),
    region: &'static str,
    at: i64,
) {
    let who = caller::saml(
        name,
        "c2FtcGxlLXByb3ZpZGVyLWhhc2g=",
        "198.51.100.23",
        BROWSER,
    );
    let issue = Issue::plain(role, name, access_key, at);
    let provider = saml_provider(&role.account);
    let draft = sts::assume_role_with_saml(issue, &provider, region, &mut week.later);
    week.later_planted("single-sign-on", &who, &role.account, at, &draft);
}

/// A service assumes a role of the account.
pub(super) fn assumed_by(
    week: &mut Week,
    service: &str,
    role: &Identity,
    (name, access_key): (&str, &str),
    at: i64,
) {
    let issue = Issue::plain(role, name, access_key, at);
    let draft = sts::assume_role(issue, IRELAND, &mut week.later);
    let who = caller::service(service);
    week.later_planted("service-assumes-role", &who, &role.account, at, &draft);
}

/// Carol looks around as the break-glass role, under a session policy that lets her do no more.
pub(super) fn under_a_session_policy(week: &mut Week, people: &People) {
    let at = MONDAY + 3 * DAY + 15 * HOUR + 2400;
    let key = another_key(week);
    let look = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"},
    ]});
    let look = look.to_string();
    let cut = Cut {
        policy: Some(&look),
        ..Cut::default()
    };
    let issue = Issue {
        cut,
        ..Issue::plain(&people.break_glass, "carol-looks", &key, at)
    };
    let draft = sts::assume_role(issue, VIRGINIA, &mut week.later);
    let carol = administrator(people);
    week.later_planted("session-with-a-policy", &carol, RESEARCH, at, &draft);
    let session = Session::new("carol-looks", &key, at);
    let who = caller::session(&people.break_glass, &session, "198.51.100.7", CLI);
    for (index, list) in ["ListUsers", "ListRoles", "ListPolicies"]
        .into_iter()
        .enumerate()
    {
        let at = at + 60 + index as i64;
        let draft = others::iam_list(list);
        week.later_planted("within-the-session-policy", &who, RESEARCH, at, &draft);
    }
    for (index, name) in ["intern", "temp"].into_iter().enumerate() {
        let message = format!(
            "User: {} is not authorized to perform: iam:CreateUser on resource: arn:aws:iam::{RESEARCH}:user/{name} because no session policy allows the iam:CreateUser action",
            who.arn
        );
        let at = at + 120 + index as i64;
        let draft = others::create_user(name).failed("AccessDenied", message);
        week.later_planted("beyond-the-session-policy", &who, RESEARCH, at, &draft);
    }
}
