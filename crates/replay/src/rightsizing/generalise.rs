//! From used resources to patterns: the steps of `README.md` beside this file.

use retrial_iam::{Catalogue, literal_pattern};

/// The step at which only what the statement grants is left.
pub(super) const LAST_STEP: u8 = 5;
/// The step of a proposal that has room.
pub(super) const FIRST_STEP: u8 = 1;

/// Resource types whose names are made anew for every use, as the catalogue names them.
const PER_USE: [(&str, &[&str]); 8] = [
    (
        "sagemaker",
        &[
            "automl-job",
            "compilation-job",
            "edge-packaging-job",
            "experiment-trial",
            "experiment-trial-component",
            "hyper-parameter-tuning-job",
            "inference-recommendations-job",
            "labeling-job",
            "optimization-job",
            "pipeline-execution",
            "processing-job",
            "training-job",
            "transform-job",
            "model",
            "endpoint-config",
        ],
    ),
    (
        "machinelearning",
        &["batchprediction", "datasource", "evaluation", "mlmodel"],
    ),
    ("logs", &["log-stream"]),
    ("glue", &["crawler-run", "job-run"]),
    ("batch", &["job"]),
    ("states", &["execution"]),
    ("ecs", &["task"]),
    ("athena", &["query-execution"]),
];

/// Types whose names are ids or few: never cut.
const NEVER_CUT: [(&str, &str); 5] = [
    ("kms", "key"),
    ("iam", "role"),
    ("iam", "user"),
    ("ecr", "repository"),
    ("sqs", "queue"),
];

/// The pattern of a used resource before any step: the resource itself. What a record does not show stands as
/// `*` in it where `is_known` is not set.
pub(super) fn exact(resource: &str, is_known: bool) -> String {
    match is_known && resource != "*" {
        true => literal_pattern(resource),
        false => resource.to_owned(),
    }
}

/// The pattern at a step, from the pattern at the step before; `None` where only what the statement grants is
/// left.
pub(super) fn widened(pattern: &str, step: u8, catalogue: &Catalogue) -> Option<String> {
    if step >= LAST_STEP {
        return None;
    }
    let service = pattern.split(':').nth(2).unwrap_or_default();
    if !pattern.starts_with("arn:") {
        return Some(pattern.to_owned());
    }
    if service == "s3" {
        return Some(object(pattern, step));
    }
    // Where a name would begin, none is told: `arn:aws:iam::111122223333:role/` of `ListRoles`.
    if pattern.ends_with(['/', ':']) {
        return Some(format!("{pattern}*"));
    }
    Some(named(pattern, service, step, catalogue))
}

/// `arn:aws:s3:::bucket/in/2026/a.csv` → `arn:aws:s3:::bucket/in/*`; a bucket as it is.
fn object(pattern: &str, step: u8) -> String {
    let Some((bucket, key)) = pattern.split_once('/') else {
        return pattern.to_owned();
    };
    let most = match step {
        1 => usize::MAX,
        2 => 3,
        3 => 1,
        _ => 0,
    };
    let parts: Vec<&str> = key.split('/').collect();
    let folders = parts.len() - 1;
    let dated = parts.iter().position(|part| digits(part).is_some());
    let kept = dated.unwrap_or(folders).min(folders).min(most);
    if folders == 0 && dated.is_none() && most > 0 {
        return pattern.to_owned();
    }
    let mut out = format!("{bucket}/");
    for folder in parts.iter().take(kept) {
        out.push_str(folder);
        out.push('/');
    }
    out.push('*');
    out
}

fn named(pattern: &str, service: &str, step: u8, catalogue: &Catalogue) -> String {
    let Some(resource_type) = catalogue.type_of_arn(service, pattern) else {
        return pattern.to_owned();
    };
    let is_per_use = PER_USE
        .iter()
        .any(|(of, types)| *of == service && types.contains(&resource_type.name));
    let is_cut = !NEVER_CUT.contains(&(service, resource_type.name));
    let Some((head, name)) = name(pattern, resource_type.arn) else {
        return pattern.to_owned();
    };
    match step {
        3.. => format!("{head}*"),
        2 if is_cut => format!("{head}{}", cut(name)),
        1 if is_per_use => format!("{head}{}", cut(name)),
        _ => pattern.to_owned(),
    }
}

/// What stands before the name in an ARN of the template, and the name: `…:training-job/` and `churn-1`.
fn name<'p>(pattern: &'p str, template: &str) -> Option<(&'p str, &'p str)> {
    let fixed = template.splitn(6, ':').nth(5)?;
    // Log streams stand below their group: the last variable is the name.
    let before_last = fixed.rfind("${")?;
    let separators = fixed.get(..before_last)?.matches(['/', ':']).count();
    let start = pattern.len() - pattern.splitn(6, ':').nth(5)?.len();
    let rest = pattern.get(start..)?;
    let place = match separators {
        0 => 0,
        // Names of groups have slashes of their own: where two variables stand, the last separator counts.
        _ if fixed.matches("${").count() > 1 => {
            let separator = fixed.get(..before_last)?.chars().next_back()?;
            rest.rfind(separator)? + separator.len_utf8()
        }
        count => rest.match_indices(['/', ':']).nth(count - 1)?.0 + 1,
    };
    Some((pattern.get(..start + place)?, rest.get(place..)?))
}

/// `churn-20261102` → `churn-*`
fn cut(name: &str) -> String {
    match digits(name) {
        Some(place) => format!("{}*", name.get(..place).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// Where the first two digits in a row stand.
fn digits(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    bytes
        .windows(2)
        .position(|pair| pair.iter().all(u8::is_ascii_digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: &str, steps: [&str; 4]) {
        let mut pattern = exact(resource, true);
        for (step, expect) in (1..).zip(steps) {
            pattern = widened(&pattern, step, Catalogue::bundled()).unwrap();
            assert_eq!(pattern, expect, "{resource} at step {step}");
        }
        assert_eq!(widened(&pattern, LAST_STEP, Catalogue::bundled()), None);
    }

    #[test]
    fn objects() {
        let all = "arn:aws:s3:::b/*";
        check(
            "arn:aws:s3:::b/in/x/y/z/2026/11/a.csv",
            [
                "arn:aws:s3:::b/in/x/y/z/*",
                "arn:aws:s3:::b/in/x/y/*",
                "arn:aws:s3:::b/in/*",
                all,
            ],
        );
        let folder = "arn:aws:s3:::b/in/*";
        check("arn:aws:s3:::b/in/a.csv", [folder, folder, folder, all]);
        let root = "arn:aws:s3:::b/a.csv";
        check(root, [root, root, root, all]);
        check("arn:aws:s3:::b/a-20261102.csv", [all; 4]);
        check("arn:aws:s3:::b", ["arn:aws:s3:::b"; 4]);
        let literal = "arn:aws:s3:::b/${*}/*";
        check("arn:aws:s3:::b/*/a", [literal, literal, literal, all]);
    }

    #[test]
    fn names() {
        let of = |name: &str| format!("arn:aws:sagemaker:eu-west-1:111122223333:{name}");
        let (cut, all) = (of("training-job/churn-*"), of("training-job/*"));
        check(&of("training-job/churn-20261102"), [&cut, &cut, &all, &all]);
        let endpoint = of("endpoint/churn-v12");
        check(
            &endpoint,
            [
                &endpoint,
                &of("endpoint/churn-v*"),
                &of("endpoint/*"),
                &of("endpoint/*"),
            ],
        );
        let roles = "arn:aws:iam::111122223333:role/*";
        check("arn:aws:iam::111122223333:role/", [roles; 4]);
        let key = "arn:aws:kms:eu-west-1:111122223333:key/0a1b2c3d-0000-4000-8000-000000000001";
        let keys = "arn:aws:kms:eu-west-1:111122223333:key/*";
        check(key, [key, key, keys, keys]);
        let group =
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/sagemaker/TrainingJobs:log-stream:";
        check(
            &format!("{group}churn-20261102/algo-1-1"),
            [
                &format!("{group}churn-*"),
                &format!("{group}churn-*"),
                &format!("{group}*"),
                &format!("{group}*"),
            ],
        );
    }
}
