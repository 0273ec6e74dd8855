//! What users and roles have today, as the snapshot's files write it: what the way back needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The policies of one user or role, its own alone.
#[derive(Debug, Default, Clone, PartialEq)]
pub(crate) struct CurrentPolicies {
    /// Inline policies: name and document.
    pub(crate) inline: Vec<(String, Value)>,
    /// ARNs of attached managed policies.
    pub(crate) attached: Vec<String>,
}

/// The policies of users and roles, by their ARNs.
pub(crate) fn policies(
    files: &[(String, Vec<u8>)],
    arns: &BTreeSet<&str>,
) -> BTreeMap<String, CurrentPolicies> {
    let mut found = BTreeMap::new();
    for (path, bytes) in files {
        let name = path.rsplit('/').next().unwrap_or_default();
        if files.len() > 1 && !name.starts_with("authorization-details") {
            continue;
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let pages = serde_json::Deserializer::from_slice(bytes).into_iter::<Value>();
        for page in pages.map_while(Result::ok) {
            match page {
                Value::Array(pages) => pages.iter().for_each(|page| read(page, arns, &mut found)),
                page => read(&page, arns, &mut found),
            }
        }
    }
    found
}

fn read(page: &Value, arns: &BTreeSet<&str>, found: &mut BTreeMap<String, CurrentPolicies>) {
    let lists = [
        ("UserDetailList", "UserPolicyList"),
        ("RoleDetailList", "RolePolicyList"),
    ];
    for (list, inline) in lists {
        for entry in array(&page[list]) {
            let Some(arn) = entry["Arn"].as_str().filter(|arn| arns.contains(arn)) else {
                continue;
            };
            let policy = |policy: &Value| {
                let name = policy["PolicyName"].as_str()?.to_owned();
                Some((name, document(&policy["PolicyDocument"])))
            };
            let attached = array(&entry["AttachedManagedPolicies"]).iter();
            let policies = CurrentPolicies {
                inline: array(&entry[inline]).iter().filter_map(policy).collect(),
                attached: attached
                    .filter_map(|policy| Some(policy["PolicyArn"].as_str()?.to_owned()))
                    .collect(),
            };
            found.insert(arn.to_owned(), policies);
        }
    }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A document: an object, or its text, perhaps URL-encoded as IAM's own API gives it.
fn document(value: &Value) -> Value {
    let Some(text) = value.as_str() else {
        return value.clone();
    };
    let decoded = match text.trim_start().starts_with('%') {
        true => decoded(text),
        false => text.to_owned(),
    };
    serde_json::from_str(&decoded).unwrap_or_else(|_| value.clone())
}

/// `%7B` → `{`
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let byte = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = tail.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn documents_are_objects_or_texts() {
        let expect = json!({"Version": "2012-10-17", "Statement": []});
        for value in [
            expect.clone(),
            json!(expect.to_string()),
            json!("%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%5B%5D%7D"),
        ] {
            assert_eq!(document(&value), expect);
        }
    }

    #[test]
    fn pages_one_after_the_other() {
        let page = |name: &str| {
            format!(
                r#"{{"UserDetailList": [], "RoleDetailList": [{{"Arn": "arn:{name}", "RolePolicyList":
                    [{{"PolicyName": "p", "PolicyDocument": {{}}}}],
                    "AttachedManagedPolicies": [{{"PolicyArn": "arn:m", "PolicyName": "m"}}]}}]}}"#
            )
        };
        let text = format!("{}\n{}", page("a"), page("b"));
        let files = [("iam.json".to_owned(), text.into_bytes())];
        let found = policies(&files, &BTreeSet::from(["arn:b"]));
        let shown: Vec<_> = found
            .iter()
            .map(|(arn, policies)| (arn.as_str(), &policies.inline[..], &policies.attached[..]))
            .collect();
        let inline = [("p".to_owned(), json!({}))];
        assert_eq!(shown, [("arn:b", &inline[..], &["arn:m".to_owned()][..])]);
    }
}
