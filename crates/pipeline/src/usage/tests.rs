//! Held against the query of the table's documentation, spelled out over plain rows.

use std::collections::BTreeMap;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

#[derive(Debug, Clone)]
struct Request {
    action: Option<&'static str>,
    resource: Option<String>,
    required: Option<bool>,
}

#[derive(Debug, Clone)]
struct Call {
    date: EventDate,
    account: Option<&'static str>,
    principal: Option<&'static str>,
    principal_type: Option<&'static str>,
    outcome: &'static str,
    denied_action: Option<&'static str>,
    time: Option<i64>,
    event_id: Option<String>,
    copy: bool,
    amends: bool,
    requests: Vec<Request>,
}

fn request() -> impl Strategy<Value = Request> {
    let action = prop::sample::select(vec![
        None,
        Some("s3:GetObject"),
        Some("kms:Decrypt"),
        Some("iam:PassRole"),
    ]);
    let resource = prop::option::weighted(0.9, "[a-c\0*]{0,2}");
    let required = prop::sample::select(vec![None, Some(true), Some(true), Some(false)]);
    (action, resource, required).prop_map(|(action, resource, required)| Request {
        action,
        resource,
        required,
    })
}

fn call() -> impl Strategy<Value = Call> {
    let key = (
        prop::sample::select(vec![None, Some(0), Some(1)]),
        prop::sample::select(vec![None, Some("111122223333")]),
        prop::sample::select(vec![None, Some("arn:p"), Some("arn:q")]),
        prop::sample::select(vec![None, Some("AssumedRole")]),
    );
    let outcome = prop::sample::select(vec![
        "succeeded",
        "denied",
        "denied",
        "failed_after_authorization",
        "failed",
    ]);
    let denied = prop::sample::select(vec![None, Some("S3:getObject"), Some("kms:Decrypt")]);
    let rest = (
        prop::option::weighted(0.8, 0i64..4),
        prop::option::weighted(0.8, "[a-d]"),
        prop::bool::weighted(0.1),
        prop::bool::weighted(0.1),
        proptest::collection::vec(request(), 1..4),
    );
    (key, outcome, denied, rest).prop_map(|(key, outcome, denied_action, rest)| Call {
        date: key.0,
        account: key.1,
        principal: key.2,
        principal_type: key.3,
        outcome,
        denied_action,
        time: rest.0,
        event_id: rest.1,
        copy: rest.2,
        amends: rest.3,
        requests: rest.4,
    })
}

/// A row of `usage` with its date, in the order of the table.
type Row = (
    EventDate,
    (
        Option<String>,
        Option<String>,
        String,
        Option<String>,
        bool,
        Option<String>,
    ),
    [u64; 5],
    (Option<i64>, Option<i64>, Option<String>),
);

/// The query, step by step.
fn model(calls: &[Call]) -> Vec<Row> {
    let mut groups: BTreeMap<_, Vec<(&Call, &Request)>> = BTreeMap::new();
    for call in calls {
        let asked = call
            .requests
            .iter()
            .filter(|r| r.required == Some(true))
            .count();
        for request in &call.requests {
            let Some(action) = request.action else {
                continue;
            };
            let counts = call.outcome != "denied"
                || match call.denied_action {
                    Some(named) => named.to_lowercase() == action.to_lowercase(),
                    None => request.required == Some(true) && asked == 1,
                };
            if call.copy || call.amends || !counts {
                continue;
            }
            let key = (
                call.date,
                (
                    call.account.map(str::to_owned),
                    call.principal.map(str::to_owned),
                    action.to_owned(),
                    request.resource.clone(),
                    request.required == Some(true),
                    call.principal_type.map(str::to_owned),
                ),
            );
            groups.entry(key).or_default().push((call, request));
        }
    }
    let rows = groups.into_iter().map(|((date, key), members)| {
        let of = |outcome| {
            members
                .iter()
                .filter(|(call, _)| call.outcome == outcome)
                .count() as u64
        };
        let times = || members.iter().filter_map(|(call, _)| call.time);
        let mut ids: Vec<_> = members
            .iter()
            .map(|(call, _)| {
                (
                    call.time.is_none(),
                    call.time,
                    call.event_id.is_none(),
                    &call.event_id,
                )
            })
            .collect();
        ids.sort();
        let counts = [
            members.len() as u64,
            of("succeeded"),
            of("denied"),
            of("failed_after_authorization"),
            of("failed"),
        ];
        (
            date,
            key,
            counts,
            (times().min(), times().max(), ids[0].3.clone()),
        )
    });
    rows.collect()
}

fn grouped(calls: &[Call], caps: Caps) -> (Vec<Row>, usize) {
    let folder = TempDir::new().unwrap();
    let scratch = Scratch::new(folder.path()).unwrap();
    let mut groups = UsageGroups::with_caps(&scratch, caps);
    for (index, call) in calls.iter().enumerate() {
        for request in &call.requests {
            let row = DecisionRow {
                account_id: call.account,
                principal_arn: call.principal,
                principal_type: call.principal_type,
                outcome: call.outcome,
                denied_action: call.denied_action,
                event_time: call.time,
                event_id: call.event_id.as_deref(),
                copy: call.copy,
                amends: call.amends.then_some("another"),
                action: request.action,
                resource_arn: request.resource.as_deref(),
                required: request.required,
                log_file: "a.json.gz",
                record_index: index as u64,
                ..DecisionRow::default()
            };
            groups.add(call.date, &row).unwrap();
        }
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut largest = 0;
    let owned = |text: Option<&str>| text.map(str::to_owned);
    let mut each = |date: EventDate, chunk: &[UsageRow<'_>]| {
        assert!(!chunk.is_empty());
        largest = largest.max(chunk.len());
        rows.extend(chunk.iter().map(|row| {
            (
                date,
                (
                    owned(row.account_id),
                    owned(row.principal_arn),
                    row.action.to_owned(),
                    owned(row.resource_arn),
                    row.required,
                    owned(row.principal_type),
                ),
                [
                    row.calls,
                    row.succeeded,
                    row.denied,
                    row.failed_after_authorization,
                    row.failed,
                ],
                (row.first_time, row.last_time, owned(row.event_id)),
            )
        }));
        Ok(())
    };
    groups.finish(&mut each).unwrap();
    (rows, largest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn groups_as_the_query_does(
        calls in proptest::collection::vec(call(), 0..150),
        groups_bytes in prop::sample::select(vec![1, 3_000, 1 << 20]),
        chunk_rows in prop::sample::select(vec![1, 7, 1_000]),
    ) {
        let (rows, largest) = grouped(&calls, Caps { groups_bytes, chunk_rows });
        prop_assert!(largest <= chunk_rows);
        prop_assert_eq!(rows, model(&calls));
    }
}

#[test]
fn denied_calls() {
    let request = |action, required| Request {
        action: Some(action),
        resource: None,
        required: Some(required),
    };
    let check = |denied_action, requests: &[Request], expect: &[&str]| {
        let call = Call {
            date: Some(0),
            account: None,
            principal: None,
            principal_type: None,
            outcome: "denied",
            denied_action,
            time: Some(1),
            event_id: None,
            copy: false,
            amends: false,
            requests: requests.to_vec(),
        };
        let caps = Caps {
            groups_bytes: 1 << 20,
            chunk_rows: 10,
        };
        let (rows, _) = grouped(&[call.clone()], caps);
        let actions: Vec<&str> = rows.iter().map(|row| row.1.2.as_str()).collect();
        assert_eq!(actions, expect);
        assert!(rows.iter().all(|row| row.2 == [1, 0, 1, 0, 0]));
    };
    let (get, decrypt) = ("s3:GetObject", "kms:Decrypt");
    // Named: that one, required or not, and nothing else.
    check(
        Some("s3:getobject"),
        &[request(get, true), request(decrypt, true)],
        &[get],
    );
    check(
        Some(decrypt),
        &[request(get, true), request(decrypt, false)],
        &[decrypt],
    );
    check(Some("ec2:RunInstances"), &[request(get, true)], &[]);
    // Not named: the only required one.
    check(None, &[request(get, true), request(decrypt, false)], &[get]);
    check(None, &[request(get, true), request(decrypt, true)], &[]);
    check(None, &[request(decrypt, false)], &[]);
}
