//! The points on which the package is known to differ from AWS's documents.
//!
//! Each point rewrites a case into words that the package understands as AWS means the original: `/0` as
//! two halves, an epoch date as ISO 8601, a layer that does not apply as no layer. A disagreement is
//! enumerated only if the package, asked so, gives our answer; that a case merely contains `/0` excuses
//! nothing.

use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Map, Value, json};

use crate::documents::{
    Place, drop_statements, for_each_document, for_each_entry, for_each_text, statements_mut,
};

/// Matches nothing in the world of the random cases.
const NOTHING: &str = "~matches-nothing~";

/// One known difference.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) name: &'static str,
    /// Says the case in the package's words; leaves it alone where the point is not in it.
    pub(crate) rewrite: fn(&mut Value),
}

/// In the order of the field guide, whose numbers they keep.
pub(crate) const POINTS: [Point; 16] = [
    Point {
        name: "O2 a CIDR of /0 holds every address",
        rewrite: halve_the_whole_internet,
    },
    Point {
        name: "O3 a number as date is seconds since 1970",
        rewrite: epoch_as_iso,
    },
    Point {
        name: "O4 variables need Version 2012-10-17",
        rewrite: literal_variables,
    },
    Point {
        name: "O5 an absent variable equals nothing",
        rewrite: absent_variables,
    },
    Point {
        name: "O6 `${*}` is a `*` in StringEquals too",
        rewrite: predefined_variables,
    },
    Point {
        name: "O7 endpoint policies name principals",
        rewrite: endpoint_principals,
    },
    Point {
        name: "O8 IPv6 addresses are compared as numbers",
        rewrite: canonical_ipv6,
    },
    Point {
        name: "O9 `5abc` is not a number",
        rewrite: malformed_numbers,
    },
    Point {
        name: "O10 `*` matches a line break",
        rewrite: no_line_breaks,
    },
    Point {
        name: "O11 root may do everything in its account",
        rewrite: root_has_full_access,
    },
    Point {
        name: "O12 a federated user without session policy has no permissions",
        rewrite: federated_without_session_policy,
    },
    Point {
        name: "O13 whom SCPs and RCPs do not bind",
        rewrite: unbound_by_control_policies,
    },
    Point {
        name: "O14 NotPrincipal must list role, session and account",
        rewrite: incomplete_not_principal,
    },
    Point {
        name: "O15 ArnEquals takes ARNs only",
        rewrite: malformed_arns,
    },
    // Not in the field guide: found by this test.
    Point {
        name: "O16 an empty list is null",
        rewrite: empty_lists,
    },
    Point {
        name: "O17 an address is not one of the other family",
        rewrite: bare_addresses,
    },
];

/// O1 needs the answers: a session whose own ARN the resource's policy names needs nothing else.
pub(crate) const NAMED_SESSION: &str = "O1 a grant to the session passes its session policy";

/// The same case, with the resource's policy as the only place that still allows in the caller's account.
///
/// If that is enough for the package, the resource's policy grants to the caller directly, and AWS says
/// that such a grant is not limited by an implicit deny in the session policy.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics-single-account.html>
pub(crate) fn without_session_limit(case: &Value) -> Option<Value> {
    let mut case = case.clone();
    let principal = case["request"]["principal"].as_str()?.to_owned();
    if case.get("session_policies").is_none()
        || case.get("resource_policy").is_none()
        || case["request"]["resource"]["account"].as_str() != principal.split(':').nth(4)
    {
        return None;
    }
    for_each_document(&mut case, |place, document| match place {
        Place::Identity => drop_statements(document, |statement| statement["Effect"] == "Allow"),
        Place::Session => allow_everything(document),
        _ => {}
    });
    Some(case)
}

fn allow_everything(document: &mut Value) {
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    match document.get_mut("Statement") {
        Some(Value::Array(list)) => list.push(everything),
        Some(one) => *one = json!([one.take(), everything]),
        None => {}
    }
}

fn halve_the_whole_internet(case: &mut Value) {
    for_each_entry(case, |entry| {
        if !entry.operator.ends_with("ipaddress") {
            return;
        }
        let list = match entry.values.take() {
            Value::Array(list) => list,
            one => vec![one],
        };
        let halves = |value: Value| match value.as_str() {
            Some("0.0.0.0/0") => vec![json!("0.0.0.0/1"), json!("128.0.0.0/1")],
            Some("::/0") => vec![json!("::/1"), json!("8000::/1")],
            _ => vec![value],
        };
        *entry.values = list.into_iter().flat_map(halves).collect();
    });
}

fn epoch_as_iso(case: &mut Value) {
    for_each_entry(case, |entry| {
        if entry.operator.starts_with("date") {
            for_each_text(entry.values, |text| {
                if let Ok(seconds) = text.parse::<i64>()
                    && let Ok(time) = jiff::Timestamp::from_second(seconds)
                {
                    *text = time.to_string();
                }
            });
        }
    });
}

/// No text of the random cases holds a `${`, so a literal one matches nothing.
fn literal_variables(case: &mut Value) {
    for_each_entry(case, |entry| {
        if !entry.has_variables {
            for_each_text(entry.values, unmatch_if(|text| text.contains("${")));
        }
    });
    for_each_document(case, |_, document| {
        if document["Version"] != "2012-10-17" {
            for statement in statements_mut(document) {
                for name in ["Resource", "NotResource"] {
                    if let Some(values) = statement.get_mut(name) {
                        for_each_text(values, |text| {
                            if text.contains("${") {
                                NOTHING_ARN.clone_into(text);
                            }
                        });
                    }
                }
            }
        }
    });
}

fn unmatch_if(condition: impl Fn(&str) -> bool) -> impl FnMut(&mut String) {
    move |text| {
        if condition(text) {
            NOTHING.clone_into(text);
        }
    }
}

fn absent_variables(case: &mut Value) {
    let context = case["request"]["context"].as_object().unwrap().clone();
    for_each_entry(case, |entry| {
        if entry.has_variables {
            for_each_text(
                entry.values,
                unmatch_if(|text| names_absent(text, &context)),
            );
        }
    });
}

/// Whether a variable without a default stands for a key that the request does not have.
fn names_absent(text: &str, context: &Map<String, Value>) -> bool {
    text.split("${").skip(1).any(|rest| {
        let name = rest.split('}').next().unwrap_or_default();
        let is_predefined = matches!(name, "*" | "?" | "$");
        !is_predefined
            && !name.contains(',')
            && !context
                .keys()
                .any(|key| key.eq_ignore_ascii_case(name.trim()))
    })
}

fn predefined_variables(case: &mut Value) {
    for_each_entry(case, |entry| {
        if entry.has_variables
            && entry.operator.starts_with("string")
            && !entry.operator.ends_with("like")
        {
            for_each_text(entry.values, |text| {
                *text = text
                    .replace("${*}", "*")
                    .replace("${?}", "?")
                    .replace("${$}", "$");
            });
        }
    });
}

/// Statements that name the caller count for everyone; those that do not are left out.
fn endpoint_principals(case: &mut Value) {
    let principal = case["request"]["principal"].as_str().unwrap().to_owned();
    let account = principal.split(':').nth(4).unwrap_or_default().to_owned();
    for_each_document(case, |place, document| {
        if place == Place::Endpoint {
            drop_statements(document, |statement| {
                let named = statement.get("Principal").is_none_or(|element| {
                    let text = element.to_string();
                    text.contains('*') || (!account.is_empty() && text.contains(&account))
                });
                statement.insert(String::from("Principal"), json!("*"));
                !named
            });
        }
    });
}

fn canonical_ipv6(case: &mut Value) {
    let canonical = |text: &mut String| {
        if let Ok(address) = text.parse::<Ipv6Addr>() {
            *text = address.to_string();
        }
    };
    for_each_entry(case, |entry| {
        if entry.operator.ends_with("ipaddress") {
            for_each_text(entry.values, canonical);
        }
    });
}

fn malformed_numbers(case: &mut Value) {
    for_each_entry(case, |entry| {
        if entry.operator.starts_with("numeric") {
            for_each_text(
                entry.values,
                unmatch_if(|text| text.parse::<f64>().is_err()),
            );
        }
    });
}

fn no_line_breaks(case: &mut Value) {
    let text = case.to_string().replace("\\n", "_");
    *case = serde_json::from_str(&text).unwrap();
}

fn root_has_full_access(case: &mut Value) {
    let principal = case["request"]["principal"].as_str().unwrap();
    if principal.starts_with("arn:") && principal.ends_with(":root") {
        case["identity_policies"] = json!([crate::policies::full_access()]);
    }
}

fn federated_without_session_policy(case: &mut Value) {
    let principal = case["request"]["principal"].as_str().unwrap();
    if principal.contains(":federated-user/") && case.get("session_policies").is_none() {
        case["session_policies"] = json!([{"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "organizations:LeaveOrganization", "Resource": NOTHING_ARN}
        ]}]);
    }
}

/// An ARN that no random case asks for.
const NOTHING_ARN: &str = "arn:aws:sns:us-east-1:999999999999:nothing";

/// Services whose resources RCPs reach, among those of the random cases.
/// <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
const RCP_SERVICES: [&str; 6] = ["s3", "sts", "kms", "sqs", "secretsmanager", "ecr"];

fn unbound_by_control_policies(case: &mut Value) {
    let fact = |name: &str| case.get("facts").and_then(|facts| facts.get(name));
    let principal = case["request"]["principal"].as_str().unwrap();
    let account = principal.split(':').nth(4).unwrap_or_default();
    let is_management = fact("principal_account_is_management") == Some(&json!(true));
    let is_service_linked = fact("session_issuer_arn")
        .and_then(Value::as_str)
        .is_some_and(|arn| arn.contains(":role/aws-service-role/"));
    let owns = case["request"]["resource"]["account"].as_str() == Some(account);
    let service = case["request"]["action"]
        .as_str()
        .unwrap()
        .split(':')
        .next()
        .unwrap();
    let reached = RCP_SERVICES.contains(&service) || service == "logs";
    let no_scp = is_management || is_service_linked || !principal.starts_with("arn:");
    let no_rcp = is_service_linked || !reached || (is_management && owns);
    let layers = case.as_object_mut().unwrap();
    if no_scp {
        layers.remove("scps");
    }
    if no_rcp {
        layers.remove("rcps");
    }
}

/// A list that lacks one of the caller's names does not spare it: it is as good as no such list.
fn incomplete_not_principal(case: &mut Value) {
    let principal = case["request"]["principal"].as_str().unwrap().to_owned();
    for_each_document(case, |place, document| {
        if place != Place::Resource {
            return;
        }
        for statement in statements_mut(document) {
            if let Some(listed) = statement.get("NotPrincipal")
                && !(listed.to_string().contains(&principal)
                    && listed.to_string().contains(":root"))
            {
                statement.remove("NotPrincipal");
                statement.insert(String::from("Principal"), json!("*"));
            }
        }
    });
}

fn malformed_arns(case: &mut Value) {
    let context = case["request"]["context"].as_object().unwrap().clone();
    let is_arn = |text: &str| text.starts_with("arn:") || text.starts_with("${");
    for_each_entry(case, |entry| {
        if entry.operator.starts_with("arn") {
            let held = context
                .iter()
                .find(|(key, _)| key.eq_ignore_ascii_case(entry.key));
            let held_is_arn = held
                .and_then(|(_, value)| value.as_str())
                .is_none_or(is_arn);
            for_each_text(entry.values, |text| {
                if !held_is_arn || !is_arn(text) {
                    NOTHING_ARN.clone_into(text);
                }
            });
        }
    });
}

/// A key without values and no key are the same to `Null`.
fn empty_lists(case: &mut Value) {
    let context = case["request"]["context"].as_object_mut().unwrap();
    context.retain(|_, value| *value != json!([]));
}

fn bare_addresses(case: &mut Value) {
    for_each_entry(case, |entry| {
        if entry.operator.ends_with("ipaddress") {
            for_each_text(entry.values, |text| match text.parse::<IpAddr>() {
                Ok(IpAddr::V4(_)) => text.push_str("/32"),
                Ok(IpAddr::V6(_)) => text.push_str("/128"),
                Err(_) => {}
            });
        }
    });
}
