//! `permissions` against a brute-force opponent: small worlds are enumerated, action by action, by an evaluator
//! that is nothing but loops over JSON; expanded rows must be the same, to the row.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};

use bumpalo::Bump;
use retrial_iam::{Catalogue, Scratch, Snapshot, SnapshotFile};
use retrial_replay::{
    Assumptions, Certainty, Covered, CoveredHour, Gather, Mapping, Outcome, PermissionGround,
    PermissionInputs, PermissionOptions, PermissionUses, RecordedCall, RecordedRequest,
    RecordedWrites, Replayer, SeenCall, SessionKnowledge, Trails, Verdict, permissions,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const DAY: i64 = 86_400_000_000;
const HOUR: i64 = 3_600_000_000;
/// 2026-01-01.
const FIRST_DAY: i64 = 20_454;

/// A number for each asking, the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % sides
    }

    fn pick<'a, T: ?Sized>(&mut self, of: &[&'a T]) -> &'a T {
        of[self.roll(of.len())]
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }
}

/// Services whose every action is the event of its name.
const ACTIONS: [&str; 7] = [
    "athena:StartQueryExecution",
    "athena:GetQueryExecution",
    "athena:ListWorkGroups",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:CreateTable",
    "dynamodb:ListTables",
];
/// Those of them, and of the catalogue, that only data events show: by AWS's documentation.
const DATA: [&str; 13] = [
    "BatchGetItem",
    "BatchWriteItem",
    "ConditionCheckItem",
    "DeleteItem",
    "GetItem",
    "PartiQLDelete",
    "PartiQLInsert",
    "PartiQLSelect",
    "PartiQLUpdate",
    "PutItem",
    "Query",
    "Scan",
    "UpdateItem",
];
const STREAM: [&str; 2] = ["GetRecords", "GetShardIterator"];
const PATTERNS: [&str; 10] = [
    "athena:*",
    "athena:Get*",
    "athena:StartQueryExecution",
    "dynamodb:*",
    "dynamodb:*Item",
    "dynamodb:PutItem",
    "dynamodb:?etItem",
    "DynamoDB:listtables",
    "a*:List*",
    "dynamodb:NoSuchThing",
];
const RESOURCES: [&str; 3] = [
    "*",
    "arn:aws:x:eu-west-1:111122223333:a/*",
    "arn:aws:x:*:*:b",
];
const ASKED: [&str; 3] = [
    "arn:aws:x:eu-west-1:111122223333:a/1",
    "arn:aws:x:eu-west-1:111122223333:b",
    "arn:aws:x:us-east-1:111122223333:c",
];

/// Wildcards, one character after the other.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(b'*'), _) => {
            glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..]))
        }
        (Some(b'?'), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some(one), Some(other)) if one == other => glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}

fn about(statement: &Value, action: &str) -> bool {
    let lower = action.to_lowercase();
    let listed = |element: &str| {
        let patterns = statement[element].as_array().unwrap().iter();
        patterns
            .map(|pattern| pattern.as_str().unwrap().to_lowercase())
            .any(|pattern| glob(pattern.as_bytes(), lower.as_bytes()))
    };
    match statement.get("NotAction") {
        Some(_) => !listed("NotAction"),
        None => listed("Action"),
    }
}

fn applies(statement: &Value, (action, resource, region): (&str, &str, &str)) -> bool {
    let on = glob(
        statement["Resource"].as_str().unwrap().as_bytes(),
        resource.as_bytes(),
    );
    let wanted = statement["Condition"]["StringEquals"]["aws:RequestedRegion"].as_str();
    about(statement, action) && on && wanted.is_none_or(|wanted| wanted == region)
}

fn statements(document: &Value) -> &[Value] {
    document["Statement"].as_array().unwrap()
}

fn says(documents: &[&Value], effect: &str, asked: (&str, &str, &str)) -> bool {
    documents.iter().any(|document| {
        let of_effect = statements(document).iter();
        of_effect
            .filter(|statement| statement["Effect"] == effect)
            .any(|statement| applies(statement, asked))
    })
}

fn document(dice: &mut Dice) -> Value {
    let statements: Vec<Value> = (0..1 + dice.roll(3))
        .map(|number| {
            let patterns: Vec<&str> = (0..1 + dice.roll(2))
                .map(|_| dice.pick(&PATTERNS))
                .collect();
            let deny = dice.one_in(5);
            let element = if dice.one_in(9) {
                "NotAction"
            } else {
                "Action"
            };
            let mut statement = json!({
                "Sid": format!("S{number}"), "Effect": if deny { "Deny" } else { "Allow" },
                element: patterns, "Resource": dice.pick(&RESOURCES),
            });
            if dice.one_in(4) {
                let region = dice.pick(&["eu-west-1", "us-east-1"]);
                statement["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": region}});
            }
            statement
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

fn date(day: i64) -> String {
    retrial_cloudtrail::Timestamp::from_micros((FIRST_DAY + day) * DAY).to_iso()
}

/// A policy of somebody: its id, its group if it is of one, its document, and the day that it was made on.
struct Held {
    id: String,
    group: Option<String>,
    document: Value,
    born: i64,
}

struct Somebody {
    arn: String,
    kind: &'static str,
    born: i64,
    held: Vec<Held>,
    boundary: Option<Value>,
}

/// How the trail records.
#[derive(Clone, Copy, PartialEq)]
enum Trail {
    NotTold,
    Management,
    WritesOnly,
    Tables,
}

struct World {
    people: Vec<Somebody>,
    trail: Trail,
    multi_region: bool,
    /// The days on which there are log files, and the Regions.
    days: Vec<i64>,
    regions: Vec<&'static str>,
    details: Value,
}

fn world(dice: &mut Dice) -> World {
    let role = format!("arn:aws:iam::{ACCOUNT}:role/r");
    let user = format!("arn:aws:iam::{ACCOUNT}:user/u");
    let group = format!("arn:aws:iam::{ACCOUNT}:group/g");
    let shared = format!("arn:aws:iam::{ACCOUNT}:policy/shared");
    let limit = format!("arn:aws:iam::{ACCOUNT}:policy/limit");
    let mut day = || i64::try_from(dice.roll(120)).unwrap() - 60;
    let (role_born, user_born, shared_born) = (day(), day(), day());
    let documents: Vec<Value> = (0..4).map(|_| document(dice)).collect();
    let boundary = dice.one_in(2).then(|| document(dice));
    let version = |document: &Value, born: i64| json!([{"VersionId": "v1", "IsDefaultVersion": true, "Document": document, "CreateDate": date(born)}]);
    let policy = |arn: &str, name: &str, versions: Value| json!({"PolicyName": name, "Arn": arn, "DefaultVersionId": "v1", "PolicyVersionList": versions});
    let mut policies = vec![policy(
        &shared,
        "shared",
        version(&documents[0], shared_born),
    )];
    let mut role_entry = json!({
        "RoleName": "r", "Arn": role, "RoleId": "AROAEXAMPLEROLER00000", "CreateDate": date(role_born),
        "RolePolicyList": [{"PolicyName": "own", "PolicyDocument": documents[1]}],
        "AttachedManagedPolicies": [{"PolicyName": "shared", "PolicyArn": shared}],
        "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
    });
    if let Some(boundary) = &boundary {
        policies.push(policy(&limit, "limit", version(boundary, -1000)));
        role_entry["PermissionsBoundary"] =
            json!({"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": limit});
    }
    let details = json!({
        "RoleDetailList": [role_entry],
        "UserDetailList": [{
            "UserName": "u", "Arn": user, "UserId": "AIDAEXAMPLEUSERU00000", "CreateDate": date(user_born),
            "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": documents[2]}],
            "AttachedManagedPolicies": [{"PolicyName": "shared", "PolicyArn": shared}], "GroupList": ["g"],
        }],
        "GroupDetailList": [{
            "GroupName": "g", "Arn": group, "GroupId": "AGPAEXAMPLEGROUPG0000", "CreateDate": date(-1000),
            "GroupPolicyList": [{"PolicyName": "own", "PolicyDocument": documents[3]}],
            "AttachedManagedPolicies": [{"PolicyName": "shared", "PolicyArn": shared}],
        }],
        "Policies": policies,
    });
    let held = |id: &str, group: Option<&str>, document: &Value, born: i64| Held {
        id: id.to_owned(),
        group: group.map(str::to_owned),
        document: document.clone(),
        born,
    };
    let people = vec![
        Somebody {
            held: vec![
                held(&format!("{role}#own"), None, &documents[1], -1000),
                held(&shared, None, &documents[0], shared_born),
            ],
            arn: role,
            kind: "Role",
            born: role_born,
            boundary,
        },
        Somebody {
            held: vec![
                held(&format!("{user}#own"), None, &documents[2], -1000),
                held(&shared, None, &documents[0], shared_born),
                held(&format!("{group}#own"), Some(&group), &documents[3], -1000),
                held(&shared, Some(&group), &documents[0], shared_born),
            ],
            arn: user,
            kind: "IAMUser",
            born: user_born,
            boundary: None,
        },
    ];
    let last = *dice.pick(&[&20_i64, &45, &100]);
    World {
        people,
        trail: *dice.pick(&[
            &Trail::NotTold,
            &Trail::Management,
            &Trail::WritesOnly,
            &Trail::Tables,
        ]),
        multi_region: dice.one_in(2),
        days: (0..last)
            .filter(|day| *day == 0 || *day == last - 1 || !dice.one_in(3))
            .collect(),
        regions: match dice.one_in(2) {
            true => vec!["eu-west-1", "us-east-1"],
            false => vec!["eu-west-1"],
        },
        details,
    }
}

const MIN_WINDOW: i64 = 30;

impl World {
    fn trails(&self) -> Option<Value> {
        let arn = format!("arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/t");
        let basic = |kind: &str, data: Value| json!([{"ReadWriteType": kind, "IncludeManagementEvents": true, "DataResources": data}]);
        let selectors = match self.trail {
            Trail::NotTold => return None,
            Trail::Management => basic("All", json!([])),
            Trail::WritesOnly => basic("WriteOnly", json!([])),
            Trail::Tables => basic(
                "All",
                json!([{"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]}]),
            ),
        };
        Some(json!({
            "trailList": [{"Name": "t", "TrailARN": arn, "HomeRegion": "eu-west-1", "IsMultiRegionTrail": self.multi_region}],
            "eventSelectors": [{"TrailARN": arn, "EventSelectors": selectors}],
        }))
    }

    /// For how many days a use would have been seen from a day on; or why it would not.
    fn observed(&self, statement: &Value, action: &str, from: i64) -> Result<i64, &'static str> {
        let (service, name) = action.split_once(':').unwrap();
        let catalogue = Catalogue::bundled();
        let level = catalogue.action(service, name).unwrap().access_level.name();
        let reads = level == "List" || level == "Read";
        let is_data = service == "dynamodb" && DATA.contains(&name);
        let is_stream = service == "dynamodb" && STREAM.contains(&name);
        if (is_data && self.trail != Trail::Tables) || is_stream {
            return Err("data_events_not_recorded");
        }
        if self.trail == Trail::WritesOnly && reads {
            return Err("management_events_not_recorded");
        }
        let by_condition = statement["Condition"]["StringEquals"]["aws:RequestedRegion"].as_str();
        let by_resource = (statement["Resource"] == RESOURCES[1]).then_some("eu-west-1");
        let regions: Option<Vec<&str>> = match (by_condition, by_resource) {
            (Some(one), Some(other)) if one != other => Some(Vec::new()),
            (one, other) => one.or(other).map(|region| vec![region]),
        };
        let told = self.trail != Trail::NotTold && self.multi_region;
        let seen = |region: &&str| {
            self.regions.contains(region)
                || (self.trail != Trail::NotTold && **region == *"eu-west-1")
        };
        if !told && !regions.is_some_and(|regions| regions.iter().all(seen)) {
            return Err("regions_not_observed");
        }
        let last = *self.days.last().unwrap();
        Ok(match self.trail {
            Trail::NotTold => {
                i64::try_from(self.days.iter().filter(|day| **day >= from).count()).unwrap()
            }
            _ => (last + 1 - from.max(0)).max(0),
        })
    }
}

type Key = (String, String, Option<String>, u64, String);

/// What a row says, of which every action of the catalogue has one.
#[derive(Debug, PartialEq)]
struct Said {
    state: &'static str,
    reason: Option<&'static str>,
    calls: u64,
    days: usize,
    last: Option<i64>,
}

struct Asked {
    who: usize,
    action: &'static str,
    resource: &'static str,
    region: &'static str,
    time: i64,
    outcome: Outcome,
    copy: bool,
    required: bool,
}

fn calls(dice: &mut Dice, world: &World) -> Vec<Asked> {
    let outcomes = [
        &Outcome::Succeeded,
        &Outcome::Succeeded,
        &Outcome::Denied,
        &Outcome::Failed,
        &Outcome::FailedAfterAuthorization,
    ];
    (0..60)
        .map(|_| {
            let day = world.days[dice.roll(world.days.len())];
            Asked {
                who: dice.roll(world.people.len()),
                action: dice.pick(&ACTIONS),
                resource: dice.pick(&ASKED),
                region: world.regions[dice.roll(world.regions.len())],
                time: (FIRST_DAY + day) * DAY
                    + i64::try_from(dice.roll(86_400)).unwrap() * 1_000_000,
                outcome: *dice.pick(&outcomes),
                copy: dice.one_in(8),
                required: !dice.one_in(6),
            }
        })
        .collect()
}

/// The enumeration.
fn expected(world: &World, calls: &[Asked]) -> BTreeMap<Key, Said> {
    let catalogue = Catalogue::bundled();
    let all: Vec<&str> = catalogue
        .services()
        .flat_map(|service| {
            catalogue
                .actions(service.prefix)
                .map(|action| action.full_name)
        })
        // In the others nothing says so simply what records them.
        .filter(|action| action.starts_with("athena:") || action.starts_with("dynamodb:"))
        .collect();
    let mut rows = BTreeMap::new();
    for (number, somebody) in world.people.iter().enumerate() {
        let own: Vec<&Value> = somebody.held.iter().map(|held| &held.document).collect();
        let boundary: Vec<&Value> = somebody.boundary.iter().collect();
        let used: Vec<&Asked> = calls
            .iter()
            .filter(|call| call.who == number && !call.copy)
            .filter(|call| {
                matches!(
                    call.outcome,
                    Outcome::Succeeded | Outcome::FailedAfterAuthorization
                )
            })
            .filter(|call| is_allowed((&own, &boundary), call))
            .collect();
        for held in &somebody.held {
            for (index, statement) in (0..).zip(statements(&held.document)) {
                if statement["Effect"] == "Deny" {
                    continue;
                }
                for action in all.iter().filter(|action| about(statement, action)) {
                    let of_statement: Vec<&&Asked> = used
                        .iter()
                        .filter(|call| call.action == *action)
                        .filter(|call| {
                            applies(statement, (call.action, call.resource, call.region))
                        })
                        .collect();
                    let said = match of_statement.is_empty() {
                        true => unseen(world, (somebody, held), (statement, action)),
                        false => Said {
                            state: "used",
                            reason: None,
                            calls: of_statement.len() as u64,
                            days: of_statement
                                .iter()
                                .map(|call| call.time / DAY)
                                .collect::<BTreeSet<_>>()
                                .len(),
                            last: of_statement.iter().map(|call| call.time).max(),
                        },
                    };
                    let key = (
                        somebody.arn.clone(),
                        held.id.clone(),
                        held.group.clone(),
                        index,
                        (*action).to_owned(),
                    );
                    rows.insert(key, said);
                }
            }
        }
    }
    rows
}

fn is_allowed((own, boundary): (&[&Value], &[&Value]), call: &Asked) -> bool {
    let asked = (call.action, call.resource, call.region);
    says(own, "Allow", asked)
        && !says(own, "Deny", asked)
        && (boundary.is_empty() || says(boundary, "Allow", asked))
        && !says(boundary, "Deny", asked)
}

fn unseen(
    world: &World,
    (somebody, held): (&Somebody, &Held),
    (statement, action): (&Value, &str),
) -> Said {
    let said = |state, reason| Said {
        state,
        reason,
        calls: 0,
        days: 0,
        last: None,
    };
    if let Some(boundary) = &somebody.boundary {
        let is = |statement: &Value, effect: &str| {
            statement["Effect"] == effect && about(statement, action)
        };
        let whole = |statement: &Value| {
            statement["Resource"] == "*" && statement.get("Condition").is_none()
        };
        let all = statements(boundary);
        let allows = all.iter().any(|statement| is(statement, "Allow"));
        let denies = all
            .iter()
            .any(|statement| is(statement, "Deny") && whole(statement));
        if !allows || denies {
            return said("blocked", Some("permissions_boundary"));
        }
    }
    let (born, reason) = match held.born > somebody.born {
        true => (held.born, "new_policy_version"),
        false => (somebody.born, "new_principal"),
    };
    let whole = match world.observed(statement, action, 0) {
        Ok(days) => days,
        Err(reason) => return said("unobservable", Some(reason)),
    };
    let since = world.observed(statement, action, born.max(0)).unwrap();
    match (since >= MIN_WINDOW, whole >= MIN_WINDOW && born > 0) {
        (true, _) => said("unused", None),
        (false, true) => said("too_new", Some(reason)),
        (false, false) => said("window_too_short", None),
    }
}

/// What the code under test says: rows, and the places of the calls that would be denied.
fn found(world: &World, calls: &[Asked]) -> (BTreeMap<Key, Said>, BTreeSet<usize>) {
    let details = world.details.to_string();
    let trails = world.trails().map(|trails| trails.to_string());
    let mut files = vec![SnapshotFile {
        path: "accounts/111122223333/authorization-details.json",
        bytes: details.as_bytes(),
    }];
    if let Some(trails) = &trails {
        files.push(SnapshotFile {
            path: "accounts/111122223333/trails.json",
            bytes: trails.as_bytes(),
        });
    }
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert_eq!(issues, []);
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let replayer = Replayer::new(
        Catalogue::bundled(),
        &mapping,
        &snapshot,
        Assumptions::Named,
    );
    let mut denied = BTreeSet::new();
    // In three parts, which must not show.
    let mut parts: Vec<PermissionUses<'_>> =
        (0..3).map(|_| PermissionUses::new(&snapshot)).collect();
    for (number, call) in calls.iter().enumerate() {
        let verdict = see(&replayer, world, call, &mut parts[number * 3 / calls.len()]);
        if verdict == Verdict::WouldBeDenied {
            denied.insert(number);
        }
    }
    let uses = parts.into_iter().reduce(|mut all, part| {
        all.merge(part);
        all
    });
    let mut covered = Covered::default();
    for (day, region) in world
        .days
        .iter()
        .flat_map(|day| world.regions.iter().map(move |region| (day, region)))
    {
        covered.add(CoveredHour {
            account: ACCOUNT,
            region,
            event_source: "athena.amazonaws.com",
            hour: (FIRST_DAY + day) * DAY + 5 * HOUR,
            data_events: false,
            digest: false,
        });
    }
    let inputs = PermissionInputs {
        snapshot: &snapshot,
        catalogue: Catalogue::bundled(),
        uses: &uses.unwrap(),
        covered: &covered,
        writes: &RecordedWrites::default(),
        trails: &Trails::of(&snapshot).0,
        ground: &PermissionGround::of(&snapshot, &mapping, Catalogue::bundled()),
        options: PermissionOptions {
            min_window_days: u64::try_from(MIN_WINDOW).unwrap(),
            assume_multi_region: false,
            filtered: false,
            now: (FIRST_DAY + 200) * DAY,
        },
    };
    (expanded(&inputs), denied)
}

fn see<'s>(
    replayer: &Replayer<'s>,
    world: &World,
    call: &Asked,
    uses: &mut PermissionUses<'s>,
) -> Verdict {
    let somebody = &world.people[call.who];
    let arena = Bump::new();
    let id = match somebody.kind {
        "Role" => "AROAEXAMPLEROLER00000:s",
        _ => "AIDAEXAMPLEUSERU00000",
    };
    let region = [call.region];
    let context: &[(&str, &[&str])] = &[("aws:RequestedRegion", &region)];
    let requests = [RecordedRequest {
        action: call.action,
        resource_arn: call.resource,
        resource_known: true,
        spellings: &[],
        resource_account: Some(ACCOUNT),
        required: call.required,
        mapping: Certainty::Verified,
        context,
        hidden_keys: &[],
    }];
    let recorded = RecordedCall {
        principal_arn: Some(&somebody.arn),
        principal_type: Some(if somebody.kind == "Role" {
            "AssumedRole"
        } else {
            "IAMUser"
        }),
        session_name: (somebody.kind == "Role").then_some("s"),
        principal_id: Some(id),
        caller_account_id: Some(ACCOUNT),
        invoked_by: None,
        identity_provider: None,
        event_source: Some("athena.amazonaws.com"),
        event_name: Some("X"),
        outcome: call.outcome,
        reason: None,
        requests: &requests,
    };
    let mut scratch = Scratch::default();
    let replayed =
        replayer.replay_recorded(&recorded, SessionKnowledge::NotSeen, &arena, &mut scratch);
    uses.see(&SeenCall {
        event_id: None,
        event_time: Some(call.time),
        account_id: Some(ACCOUNT),
        region: Some(call.region),
        access_key_id: None,
        source_ip: None,
        error_code: None,
        denied_action: None,
        denied_layer: None,
        log_file: "f",
        record_index: 0,
        copy: call.copy,
        before: Verdict::Agrees,
        call: &recorded,
        replayed: &replayed,
    });
    replayed.verdict
}

/// Rows of actions as they are; those of the rest by their sets, without the actions that have a row.
fn expanded(inputs: &PermissionInputs<'_, '_>) -> BTreeMap<Key, Said> {
    let mut rows = BTreeMap::new();
    let mut rests = Vec::new();
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut order = Vec::new();
    permissions::<()>(
        inputs,
        &mut |row| {
            let index = u64::from(row.statement_index.unwrap());
            let group = row.group_arn.map(str::to_owned);
            let key = |action: &str| {
                (
                    row.principal_arn.to_owned(),
                    row.policy.to_owned(),
                    group.clone(),
                    index,
                    action.to_owned(),
                )
            };
            let said = Said {
                state: row.state.name(),
                reason: row.reason.map(|reason| reason.name()),
                calls: row.calls,
                days: usize::try_from(row.days).unwrap(),
                last: row.last_time,
            };
            order.push((
                key(""),
                row.service.map(str::to_owned),
                row.action.map(str::to_owned),
            ));
            match (row.action, row.action_set) {
                (Some(action), _) => {
                    assert!(rows.insert(key(action), said).is_none(), "{action} twice")
                }
                (None, Some(set)) => rests.push((key(""), set.to_owned(), row.actions, said)),
                (None, None) => panic!("a row about nothing"),
            }
            Ok(())
        },
        &mut |(name, actions)| {
            let actions = actions
                .iter()
                .map(|action| action.full_name.to_owned())
                .collect();
            assert!(sets.insert(name.to_owned(), actions).is_none());
            Ok(())
        },
    )
    .unwrap();
    assert!(order.is_sorted());
    let with_row: BTreeSet<Key> = rows.keys().cloned().collect();
    for (key, set, count, said) in rests {
        let mut left = 0;
        for action in &sets[&set] {
            let key = (
                key.0.clone(),
                key.1.clone(),
                key.2.clone(),
                key.3,
                action.clone(),
            );
            if with_row.contains(&key) {
                continue;
            }
            left += 1;
            let said = Said { last: None, ..said };
            assert!(rows.insert(key, said).is_none(), "{action} twice");
        }
        assert_eq!(left, count);
    }
    rows.retain(|(.., action), _| {
        let known = action.starts_with("athena:") || action.starts_with("dynamodb:");
        known && action != "dynamodb:NoSuchThing"
    });
    rows
}

#[test]
fn rows_and_denials_are_those_of_the_enumeration() {
    let mut states: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 1..=60_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let world = world(&mut dice);
        let calls = calls(&mut dice, &world);
        let wanted = expected(&world, &calls);
        let (rows, denied) = found(&world, &calls);
        for (key, said) in &wanted {
            assert_eq!(
                rows.get(key),
                Some(said),
                "seed {seed}: {key:?}\n{}",
                world.details
            );
            *states.entry(said.state).or_default() += 1;
        }
        assert_eq!(
            rows.len(),
            wanted.len(),
            "seed {seed}: rows of more than there is"
        );
        let wanted: BTreeSet<usize> = calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.required)
            .filter(|(_, call)| {
                matches!(
                    call.outcome,
                    Outcome::Succeeded | Outcome::FailedAfterAuthorization
                )
            })
            .filter(|(_, call)| {
                let somebody = &world.people[call.who];
                let own: Vec<&Value> = somebody.held.iter().map(|held| &held.document).collect();
                let boundary: Vec<&Value> = somebody.boundary.iter().collect();
                !is_allowed((&own, &boundary), call)
            })
            .map(|(number, _)| number)
            .collect();
        assert_eq!(denied, wanted, "seed {seed}");
    }
    // The worlds are such that every state comes up often.
    for state in [
        "used",
        "unused",
        "window_too_short",
        "too_new",
        "blocked",
        "unobservable",
    ] {
        assert!(
            states.get(state).is_some_and(|rows| *rows > 100),
            "{state}: {states:?}"
        );
    }
}
