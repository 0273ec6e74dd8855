//! Proposals against an opponent that is nothing but loops over JSON: in small random worlds no allowed call is
//! denied by a proposal, nothing is allowed that was not, and every observed statement is needed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use bumpalo::Bump;
use retrial_iam::{Catalogue, PolicyKind, Scratch, Severity, Snapshot, SnapshotFile, lint};
use retrial_replay::{
    Assumptions, Certainty, Covered, CoveredHour, Gather, Mapping, MineConditions, NoProposal,
    Outcome, PermissionGround, PermissionInputs, PermissionOptions, PermissionStates,
    PermissionUses, Proposal, RecordedCall, RecordedRequest, RecordedWrites, Replayer,
    RightsizingEvidence, RightsizingInputs, RightsizingMode, SeenCall, SessionKnowledge,
    SharedPolicies, StatementEdit, StatementReason, Trails, Verdict, permissions, propose,
    propose_shared,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const USER: &str = "arn:aws:iam::111122223333:user/ana";
const DAY: i64 = 86_400_000_000;
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

const ACTIONS: [&str; 9] = [
    "athena:StartQueryExecution",
    "athena:GetQueryExecution",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:DeleteItem",
    "dynamodb:DescribeTable",
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
];
const PATTERNS: [&str; 12] = [
    "*",
    "athena:*",
    "athena:Get*",
    "dynamodb:*",
    "dynamodb:*Item",
    "dynamodb:PutItem",
    "DynamoDB:getitem",
    "s3:*",
    "s3:Get*",
    "s3:PutObject",
    "s3:*Object",
    "s3:ListBucket",
];
const RESOURCES: [&str; 12] = [
    "*",
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data/in/*",
    "arn:aws:s3:::data/home/${aws:username}/*",
    "arn:aws:s3:::d*/*.csv",
    "arn:aws:dynamodb:*:111122223333:table/*",
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-*",
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-20",
    "arn:aws:athena:*:111122223333:workgroup/*",
    "arn:aws:athena:eu-west-1:111122223333:workgroup/team??",
    "arn:aws:*:*:111122223333:*",
];
const ASKED: [&str; 14] = [
    "arn:aws:s3:::data",
    "arn:aws:s3:::data/in/2026/11/02/a.csv",
    "arn:aws:s3:::data/in/b.csv",
    "arn:aws:s3:::data/in/x/y/z/b.parquet",
    "arn:aws:s3:::data/home/ana/k",
    "arn:aws:s3:::data/home/bob/k",
    "arn:aws:s3:::data/*",
    "arn:aws:s3:::data/${aws:username}",
    "arn:aws:s3:::other/c.csv",
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-20",
    "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-21",
    "arn:aws:dynamodb:us-east-1:111122223333:table/customers",
    "arn:aws:athena:eu-west-1:111122223333:workgroup/team01",
    "arn:aws:athena:us-east-1:111122223333:workgroup/primary",
];
const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];

/// One piece of a pattern: a character that is to be taken as it is, or a wildcard.
type Piece = (char, bool);

/// The pieces of a pattern, with the variables of a user.
fn pieces(pattern: &str, user: &str) -> Vec<Piece> {
    let mut out = Vec::new();
    let mut rest = pattern;
    while let Some(next) = rest.chars().next() {
        let known = [
            ("${aws:username}", user),
            ("${*}", "*"),
            ("${?}", "?"),
            ("${$}", "$"),
        ];
        if let Some((name, value)) = known.iter().find(|(name, _)| rest.starts_with(name)) {
            out.extend(value.chars().map(|character| (character, false)));
            rest = &rest[name.len()..];
        } else {
            out.push((next, next == '*' || next == '?'));
            rest = &rest[next.len_utf8()..];
        }
    }
    out
}

fn glob(pattern: &[Piece], text: &[char]) -> bool {
    match (pattern.first(), text.first()) {
        (None, None) => true,
        (Some(('*', true)), _) => {
            glob(&pattern[1..], text) || (!text.is_empty() && glob(pattern, &text[1..]))
        }
        (Some(('?', true)), Some(_)) => glob(&pattern[1..], &text[1..]),
        (Some((one, false)), Some(other)) if one == other => glob(&pattern[1..], &text[1..]),
        _ => false,
    }
}

/// Whether a text matches, part by part.
fn matches(pattern: &str, (text, user): (&str, &str), parts: usize) -> bool {
    if pattern == "*" {
        return true;
    }
    // `${aws:username}` has a colon; it stands after the fifth, where none cuts any more.
    let (pattern, text): (Vec<&str>, Vec<&str>) = (
        pattern.splitn(parts, ':').collect(),
        text.splitn(parts, ':').collect(),
    );
    let one = |(pattern, text): (&&str, &&str)| {
        glob(&pieces(pattern, user), &text.chars().collect::<Vec<_>>())
    };
    pattern.len() == text.len() && pattern.iter().zip(&text).all(one)
}

fn values(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        list => list
            .as_array()
            .unwrap()
            .iter()
            .map(|text| text.as_str().unwrap())
            .collect(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Request<'a> {
    /// The user's name.
    user: &'a str,
    action: &'a str,
    resource: &'a str,
    region: &'a str,
}

fn applies(statement: &Value, request: Request<'_>) -> bool {
    let listed = |element: &Value, text: &str, parts: usize, fold: bool| {
        values(element).iter().any(|pattern| match fold {
            true => matches(&pattern.to_lowercase(), (&text.to_lowercase(), ""), parts),
            false => matches(pattern, (text, request.user), parts),
        })
    };
    let about = match statement.get("NotAction") {
        Some(element) => !listed(element, request.action, 2, true),
        None => listed(&statement["Action"], request.action, 2, true),
    };
    let on = match statement.get("NotResource") {
        Some(element) => !listed(element, request.resource, 6, false),
        None => listed(&statement["Resource"], request.resource, 6, false),
    };
    let wanted = &statement["Condition"]["StringEquals"]["aws:RequestedRegion"];
    about && on && (wanted.is_null() || values(wanted).contains(&request.region))
}

fn allowed(documents: &[Value], request: Request<'_>) -> bool {
    let says = |effect: &str| {
        documents.iter().any(|document| {
            let mut statements = document["Statement"].as_array().unwrap().iter();
            statements.any(|one| one["Effect"] == effect && applies(one, request))
        })
    };
    says("Allow") && !says("Deny")
}

fn document(dice: &mut Dice) -> Value {
    let statements: Vec<Value> = (0..1 + dice.roll(3))
        .map(|number| {
            let some = |dice: &mut Dice, of: &[&'static str]| -> Vec<&'static str> {
                (0..1 + dice.roll(3))
                    .map(|_| of[dice.roll(of.len())])
                    .collect()
            };
            let deny = dice.one_in(6);
            let action = if dice.one_in(9) {
                "NotAction"
            } else {
                "Action"
            };
            let resource = if dice.one_in(9) {
                "NotResource"
            } else {
                "Resource"
            };
            let mut statement = json!({
                "Sid": format!("S{number}"), "Effect": if deny { "Deny" } else { "Allow" },
                action: some(dice, &PATTERNS), resource: some(dice, &RESOURCES),
            });
            if dice.one_in(4) {
                let region = dice.pick(&REGIONS);
                statement["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": region}});
            }
            statement
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

struct World {
    documents: Vec<Value>,
    snapshot: Snapshot,
}

impl World {
    fn new(documents: Vec<Value>) -> World {
        let inline: Vec<Value> = documents
            .iter()
            .enumerate()
            .map(|(number, document)| json!({"PolicyName": format!("p{number}"), "PolicyDocument": document}))
            .collect();
        let snapshot = snapshot_of(&json!({
            "UserDetailList": [{"UserName": "ana", "Arn": USER, "Path": "/", "UserId": id_of("ana"),
                "CreateDate": "2024-01-01T00:00:00Z", "UserPolicyList": inline, "GroupList": []}],
            "RoleDetailList": [], "GroupDetailList": [], "Policies": []}));
        World {
            documents,
            snapshot,
        }
    }
}

/// With a trail that records everything, and buckets whose policies say nothing.
fn snapshot_of(details: &Value) -> Snapshot {
    let arn = format!("arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/t");
    let trails = json!({
            "trailList": [{"Name": "t", "TrailARN": arn, "HomeRegion": "eu-west-1", "IsMultiRegionTrail": true}],
            "eventSelectors": [{"TrailARN": arn, "EventSelectors": [
                {"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [
                    {"Type": "AWS::DynamoDB::Table", "Values": ["arn:aws:dynamodb"]},
                    {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}]}]});
    let buckets = json!({
            "data": {"OwnerAccount": ACCOUNT, "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}},
            "other": {"OwnerAccount": ACCOUNT, "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}});
    let path = |name: &str| format!("accounts/{ACCOUNT}/{name}");
    let files = [
        (path("authorization-details.json"), details.to_string()),
        (path("trails.json"), trails.to_string()),
        (path("s3-buckets.json"), buckets.to_string()),
        (path("resource-policies/s3.json"), "{}".to_owned()),
        (path("resource-policies/dynamodb.json"), "{}".to_owned()),
    ];
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, text)| SnapshotFile {
            path,
            bytes: text.as_bytes(),
        })
        .collect();
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert_eq!(issues, []);
    snapshot
}

struct Called<'a> {
    request: Request<'a>,
    outcome: Outcome,
    day: i64,
}

/// Unique, as IAM's ids of users look.
fn id_of(user: &str) -> String {
    format!("AIDAEXAMPLEUSER{:0<6}", user.to_uppercase())
}

fn see<'s>(
    replayer: &Replayer<'s>,
    called: &Called<'_>,
    (uses, resources): (&mut PermissionUses<'s>, &mut RightsizingEvidence<'s>),
) {
    let arena = Bump::new();
    let region = [called.request.region];
    let user = called.request.user;
    let name = [user];
    let arn = format!("arn:aws:iam::{ACCOUNT}:user/{user}");
    let id = id_of(user);
    let context: &[(&str, &[&str])] = &[("aws:RequestedRegion", &region), ("aws:username", &name)];
    let requests = [RecordedRequest {
        action: called.request.action,
        resource_arn: called.request.resource,
        resource_known: true,
        spellings: &[],
        resource_account: Some(ACCOUNT),
        required: true,
        mapping: Certainty::Verified,
        context,
        hidden_keys: &[],
    }];
    let recorded = RecordedCall {
        principal_arn: Some(&arn),
        principal_type: Some("IAMUser"),
        session_name: None,
        principal_id: Some(&id),
        caller_account_id: Some(ACCOUNT),
        invoked_by: None,
        identity_provider: None,
        event_source: None,
        event_name: None,
        outcome: called.outcome,
        reason: None,
        requests: &requests,
    };
    let mut scratch = Scratch::default();
    let session = SessionKnowledge::NotSeen;
    let replayed = replayer.replay_recorded(&recorded, session, &arena, &mut scratch);
    let seen = SeenCall {
        event_id: Some("e"),
        event_time: Some((FIRST_DAY + called.day) * DAY),
        account_id: Some(ACCOUNT),
        region: Some(called.request.region),
        access_key_id: None,
        source_ip: None,
        error_code: None,
        denied_action: None,
        denied_layer: None,
        log_file: "f",
        record_index: 0,
        copy: false,
        before: Verdict::Agrees,
        call: &recorded,
        replayed: &replayed,
    };
    uses.see(&seen);
    resources.see(&seen);
}

/// It takes a while to make.
fn mapping() -> &'static Mapping {
    static MAPPING: OnceLock<Mapping> = OnceLock::new();
    MAPPING.get_or_init(|| Mapping::bundled(Catalogue::bundled()).unwrap())
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    New,
    Edits,
    Conditions,
}

/// The last fifth of the hundred days begins here.
const LAST_FIFTH: i64 = 80;

/// The proposal, from calls that are gathered in so many parts.
fn proposed(
    world: &World,
    calls: &[Called<'_>],
    how: (usize, Asked),
) -> Result<Proposal, NoProposal> {
    made(&world.snapshot, calls, how, &|inputs| {
        propose(inputs, world.snapshot.principal(USER).unwrap())
    })
}

/// What is made of calls that are gathered in so many parts.
fn made<R>(
    snapshot: &Snapshot,
    calls: &[Called<'_>],
    (parts, asked): (usize, Asked),
    make: &dyn Fn(&RightsizingInputs<'_, '_>) -> R,
) -> R {
    let catalogue = Catalogue::bundled();
    let mapping = mapping();
    let replayer = Replayer::new(catalogue, mapping, snapshot, Assumptions::Named);
    let fresh = || {
        (
            PermissionUses::new(snapshot),
            RightsizingEvidence::new(snapshot, catalogue, None).with_conditions(true),
        )
    };
    let mut early = fresh();
    for called in calls.iter().filter(|called| called.day < LAST_FIFTH) {
        see(&replayer, called, (&mut early.0, &mut early.1));
    }
    let mut gathered = fresh();
    for part in calls.chunks(calls.len().div_ceil(parts).max(1)) {
        let mut of_part = fresh();
        for called in part {
            see(&replayer, called, (&mut of_part.0, &mut of_part.1));
        }
        gathered.merge(of_part);
    }
    let mut covered = Covered::default();
    for day in 0..100 {
        for region in REGIONS {
            covered.add(CoveredHour {
                account: ACCOUNT,
                region,
                event_source: "athena.amazonaws.com",
                hour: (FIRST_DAY + day) * DAY,
                data_events: false,
                digest: false,
            });
        }
    }
    let inputs = PermissionInputs {
        snapshot,
        catalogue,
        uses: &gathered.0,
        covered: &covered,
        writes: &RecordedWrites::default(),
        trails: &Trails::of(snapshot).0,
        ground: &PermissionGround::of(snapshot, mapping, catalogue),
        options: PermissionOptions {
            min_window_days: 30,
            assume_multi_region: false,
            filtered: false,
            now: (FIRST_DAY + 100) * DAY,
        },
    };
    let mut rows = Vec::new();
    let states = std::cell::RefCell::new(PermissionStates::new(None));
    permissions::<()>(
        &inputs,
        &mut |permission| {
            rows.push(permission.calls);
            states.borrow_mut().see(permission);
            Ok(())
        },
        &mut |set| {
            states.borrow_mut().set(set);
            Ok(())
        },
    )
    .unwrap();
    let shared = SharedPolicies::of(snapshot, &BTreeMap::new());
    let inputs = RightsizingInputs {
        catalogue,
        evidence: &gathered.1,
        states: &states.into_inner(),
        drop_unobservable: true,
        mode: match asked {
            Asked::Edits => RightsizingMode::Edit(&shared),
            _ => RightsizingMode::New,
        },
        mine: match asked {
            Asked::Conditions => MineConditions::Held(&early.1),
            _ => MineConditions::No,
        },
    };
    make(&inputs)
}

/// The documents of a proposal; without one statement.
fn without(proposal: &Proposal, sid: &str) -> Vec<Value> {
    let documents = proposal.documents.iter();
    documents
        .map(|document| {
            let mut value: Value = serde_json::from_str(&document.json()).unwrap();
            assert_eq!(
                value,
                serde_json::from_str::<Value>(&document.pretty()).unwrap()
            );
            let statements = value["Statement"].as_array_mut().unwrap();
            statements.retain(|statement| statement["Sid"] != sid);
            value
        })
        .collect()
}

/// A world, and calls in it.
fn made_up(seed: u64) -> (World, Vec<Called<'static>>) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let documents: Vec<Value> = (0..1 + dice.roll(3)).map(|_| document(&mut dice)).collect();
    let world = World::new(documents);
    let outcomes = [
        &Outcome::Succeeded,
        &Outcome::Succeeded,
        &Outcome::FailedAfterAuthorization,
        &Outcome::Denied,
        &Outcome::Failed,
    ];
    let calls = (0..30)
        .map(|_| Called {
            request: Request {
                user: "ana",
                action: dice.pick(&ACTIONS),
                resource: dice.pick(&ASKED),
                region: dice.pick(&REGIONS),
            },
            outcome: *dice.pick(&outcomes),
            day: i64::try_from(dice.roll(100)).unwrap(),
        })
        .collect();
    (world, calls)
}

/// What is proposed for a world, whatever its parts.
fn proposal_of(seed: u64, world: &World, calls: &[Called<'_>], asked: Asked) -> Option<Proposal> {
    let proposal = proposed(world, calls, (1, asked));
    assert_eq!(
        proposal,
        proposed(world, calls, (3, asked)),
        "parts show, seed {seed}"
    );
    match proposal {
        Ok(proposal) => Some(proposal),
        Err(why) => {
            assert_eq!(why, NoProposal::NothingGoes, "seed {seed}");
            None
        }
    }
}

/// The requests that got through, none of which new documents may deny, and beside which they may open nothing.
fn keeps_and_opens_nothing<'c>(
    seed: u64,
    (user, old, calls): (&'c str, &[Value], &'c [Called<'c>]),
    new: &[Value],
) -> BTreeSet<Request<'c>> {
    let used: BTreeSet<Request<'_>> = calls
        .iter()
        .filter(|called| {
            matches!(
                called.outcome,
                Outcome::Succeeded | Outcome::FailedAfterAuthorization
            )
        })
        .map(|called| called.request)
        .filter(|request| request.user == user && allowed(old, *request))
        .collect();
    for request in &used {
        assert!(
            allowed(new, *request),
            "seed {seed}: {request:?} is denied by {new:#?}"
        );
    }
    let others = [
        "arn:aws:s3:::data/in/2027/x",
        "arn:aws:s3:::data/in",
        "arn:aws:s3:::data/home/ana/2",
        "arn:aws:s3:::database/a.csv",
        "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-99",
        "arn:aws:dynamodb:eu-west-1:444455556666:table/orders-20",
        "arn:aws:athena:eu-west-1:111122223333:workgroup/team02",
    ];
    let actions = [
        "s3:GetObjectAcl",
        "s3:DeleteObject",
        "athena:DeleteWorkGroup",
        "iam:CreateUser",
    ];
    for action in ACTIONS.iter().chain(&actions) {
        for resource in ASKED.iter().chain(&others) {
            for region in REGIONS {
                let request = Request {
                    user,
                    action,
                    resource,
                    region,
                };
                if allowed(new, request) {
                    assert!(
                        allowed(old, request),
                        "seed {seed}: {request:?} is opened by {new:#?}"
                    );
                }
            }
        }
    }
    used
}

fn check(seed: u64, asked: Asked) -> Option<Proposal> {
    let (world, calls) = made_up(seed);
    let proposal = proposal_of(seed, &world, &calls, asked)?;
    let new = without(&proposal, "");
    let used = keeps_and_opens_nothing(seed, ("ana", &world.documents, &calls), &new);
    for document in &proposal.documents {
        assert!(document.json().len() <= 6_144);
        let findings = lint(&document.json(), PolicyKind::Identity, Catalogue::bundled());
        assert!(
            findings
                .iter()
                .all(|finding| finding.severity != Severity::Error),
            "seed {seed}: {findings:?}"
        );
        for statement in &document.statements {
            assert!(!statement.origins.is_empty());
            if let StatementReason::Observed(evidence) = &statement.reason {
                assert!(evidence.requests > 0 && evidence.event_id.is_some());
                let less = without(&proposal, &statement.sid);
                assert!(
                    used.iter().any(|request| !allowed(&less, *request)),
                    "seed {seed}: {} is not needed in {new:#?}",
                    statement.sid
                );
            }
        }
    }
    assert!(proposal.documents.len() <= 10);
    Some(proposal)
}

#[test]
fn proposals_deny_nothing_that_was_used_and_open_nothing() {
    let made = (1..=80).filter_map(|seed| check(seed, Asked::New)).count();
    assert!(made > 40, "only {made} worlds had a proposal");
}

#[test]
fn conditions_that_were_found_deny_nothing_that_was_used() {
    let made = (1..=40).filter_map(|seed| check(seed, Asked::Conditions));
    let with_some = made.filter(|proposal| {
        let mut documents = proposal.documents.iter();
        documents.any(|document| document.statements.iter().any(|one| !one.mined.is_empty()))
    });
    let with_some = with_some.count();
    assert!(with_some > 5, "only {with_some} worlds had a condition");
}

/// Edits keep statements, their names, conditions and order, and what is used; and open nothing.
#[test]
fn edits_keep_all_but_what_nothing_needs() {
    let mut narrowed = 0;
    for seed in 1..=60 {
        let (world, calls) = made_up(seed);
        let Some(proposal) = proposal_of(seed, &world, &calls, Asked::Edits) else {
            continue;
        };
        let mut new = world.documents.clone();
        for document in &proposal.documents {
            let edit = document.edit.as_ref().unwrap();
            let (_, name) = edit.policy.split_once("#p").unwrap();
            let place: usize = name.parse().unwrap();
            let was = &world.documents[place];
            let edited = edit.applied_to(was).unwrap();
            assert_ne!(&edited, was, "seed {seed}");
            let gone = edit
                .statements
                .iter()
                .filter(|one| one.edit == StatementEdit::Goes);
            let of = |document: &Value| document["Statement"].as_array().unwrap().clone();
            let (before, after) = (of(was), of(&edited));
            assert_eq!(before.len(), after.len() + gone.count());
            let mut rest = before.iter();
            for statement in &after {
                let was = rest.find(|one| one["Sid"] == statement["Sid"]).unwrap();
                assert_eq!(was["Effect"], statement["Effect"]);
                assert_eq!(was.get("Condition"), statement.get("Condition"));
                if was["Effect"] == "Deny" {
                    assert_eq!(was, statement);
                }
                narrowed += usize::from(was != statement);
            }
            new[place] = edited;
        }
        keeps_and_opens_nothing(seed, ("ana", &world.documents, &calls), &new);
    }
    assert!(narrowed > 40, "only {narrowed} statements were narrowed");
}

/// Users, whose policies are partly nobody's alone.
struct Sharing {
    /// By their ids.
    documents: BTreeMap<String, Value>,
    /// The ids of what each user has.
    of: BTreeMap<&'static str, Vec<String>>,
    snapshot: Snapshot,
}

const USERS: [&str; 3] = ["ana", "bob", "cy"];

impl Sharing {
    /// Two managed policies and a group with an inline one, had by some of three users, directly or by the group, and
    /// an inline policy of each.
    fn new(dice: &mut Dice) -> Sharing {
        let arns = ["One", "Two"].map(|name| format!("arn:aws:iam::{ACCOUNT}:policy/{name}"));
        let group = format!("arn:aws:iam::{ACCOUNT}:group/g");
        let mut documents = BTreeMap::new();
        for arn in &arns {
            documents.insert(arn.clone(), document(dice));
        }
        documents.insert(format!("{group}#i"), document(dice));
        let attached = |ids: &[String]| -> Vec<Value> {
            let ids = ids.iter();
            ids.map(|id| json!({"PolicyArn": id, "PolicyName": id.rsplit('/').next()}))
                .collect()
        };
        let some = |dice: &mut Dice| -> Vec<String> {
            arns.iter().filter(|_| dice.one_in(2)).cloned().collect()
        };
        let of_group = some(dice);
        let mut of = BTreeMap::new();
        let mut users = Vec::new();
        for user in USERS {
            let own = some(dice);
            let is_member = dice.one_in(2);
            let arn = format!("arn:aws:iam::{ACCOUNT}:user/{user}");
            let inline = document(dice);
            users.push(json!({
                "UserName": user, "Arn": arn, "Path": "/", "UserId": id_of(user), "CreateDate": "2024-01-01T00:00:00Z",
                "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": inline}],
                "AttachedManagedPolicies": attached(&own), "GroupList": if is_member { vec!["g"] } else { vec![] },
            }));
            let mut ids = own;
            ids.push(format!("{arn}#own"));
            documents.insert(format!("{arn}#own"), inline);
            if is_member {
                ids.push(format!("{group}#i"));
                ids.extend(of_group.iter().cloned());
            }
            ids.sort();
            ids.dedup();
            of.insert(user, ids);
        }
        let policies = arns.iter().map(|arn| {
            json!({
                "Arn": arn, "PolicyName": arn.rsplit('/').next(), "DefaultVersionId": "v1", "Path": "/",
                "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": documents[arn]}],
            })
        });
        let snapshot = snapshot_of(&json!({
            "UserDetailList": users, "RoleDetailList": [], "Policies": policies.collect::<Vec<_>>(),
            "GroupDetailList": [{"GroupName": "g", "Arn": group, "Path": "/", "GroupId": "AGPAEXAMPLEGROUPG0000",
                "CreateDate": "2024-01-01T00:00:00Z", "AttachedManagedPolicies": attached(&of_group),
                "GroupPolicyList": [{"PolicyName": "i", "PolicyDocument": documents[&format!("{group}#i")]}]}],
        }));
        Sharing {
            documents,
            of,
            snapshot,
        }
    }

    fn documents_of(&self, user: &str, edited: &BTreeMap<String, Option<Value>>) -> Vec<Value> {
        let ids = self.of[user].iter();
        ids.filter_map(|id| match edited.get(id) {
            Some(edited) => edited.clone(),
            None => Some(self.documents[id].clone()),
        })
        .collect()
    }

    fn calls(dice: &mut Dice) -> Vec<Called<'static>> {
        let call = |_| Called {
            request: Request {
                user: dice.pick(&USERS),
                action: dice.pick(&ACTIONS),
                resource: dice.pick(&ASKED),
                region: dice.pick(&REGIONS),
            },
            outcome: Outcome::Succeeded,
            day: i64::try_from(dice.roll(100)).unwrap(),
        };
        (0..60).map(call).collect()
    }

    /// The edited documents of a proposal, by their ids; nothing where nothing is left.
    fn edited(&self, proposal: &Proposal) -> BTreeMap<String, Option<Value>> {
        let edits = proposal.documents.iter().map(|document| {
            let edit = document.edit.as_ref().unwrap();
            let edited = edit.applied_to(&self.documents[&edit.policy]).unwrap();
            (edit.policy.clone(), (!edit.is_gone()).then_some(edited))
        });
        edits.collect()
    }

    fn keep(&self, seed: u64, calls: &[Called<'_>], edited: &BTreeMap<String, Option<Value>>) {
        for user in USERS {
            let old = self.documents_of(user, &BTreeMap::new());
            let new = self.documents_of(user, edited);
            keeps_and_opens_nothing(seed, (user, &old, calls), &new);
        }
    }
}

/// The statements of edits that stand because they were used, each with the id of its policy.
fn observed(proposal: &Proposal) -> Vec<Value> {
    let mut found = Vec::new();
    for document in &proposal.documents {
        let value: Value = serde_json::from_str(&document.json()).unwrap();
        let written = value["Statement"].as_array().unwrap();
        assert_eq!(written.len(), document.statements.len());
        for (statement, written) in document.statements.iter().zip(written) {
            if let StatementReason::Observed(evidence) = &statement.reason {
                assert!(evidence.requests > 0 && evidence.event_id.is_some());
                let mut written = written.clone();
                written["id"] = json!(document.edit.as_ref().unwrap().policy);
                found.push(written);
            }
        }
    }
    found
}

/// Edits without one statement.
fn less(
    edited: &BTreeMap<String, Option<Value>>,
    statement: &Value,
) -> BTreeMap<String, Option<Value>> {
    let mut less = edited.clone();
    let document = less.get_mut(statement["id"].as_str().unwrap()).unwrap();
    let statements = document.as_mut().unwrap()["Statement"]
        .as_array_mut()
        .unwrap();
    let before = statements.len();
    statements.retain(|one| one["Sid"] != statement["Sid"]);
    assert_eq!(statements.len() + 1, before);
    less
}

/// What several have is edited for all of them; each edit is sound by itself, and all of them are together.
#[test]
fn edits_of_what_several_have_keep_what_each_of_them_used() {
    let (mut shared, mut narrowed) = (0, 0);
    let mut needed = 0;
    for seed in 1..=60_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let sharing = Sharing::new(&mut dice);
        let calls = Sharing::calls(&mut dice);
        let all = |parts| {
            made(
                &sharing.snapshot,
                &calls,
                (parts, Asked::Edits),
                &|inputs| {
                    let RightsizingMode::Edit(policies) = inputs.mode else {
                        panic!("edits are asked for");
                    };
                    let of_all = policies
                        .iter()
                        .map(|policy| propose_shared(inputs, policy, None));
                    let own = sharing
                        .snapshot
                        .principals()
                        .filter(|one| one.name != "root");
                    let own = own.map(|principal| propose(inputs, principal));
                    of_all
                        .chain(own)
                        .filter_map(Result::ok)
                        .collect::<Vec<Proposal>>()
                },
            )
        };
        let proposals = all(1);
        assert_eq!(proposals, all(4), "parts show, seed {seed}");
        let mut together = BTreeMap::new();
        for proposal in &proposals {
            let edited = sharing.edited(proposal);
            sharing.keep(seed, &calls, &edited);
            if let Some(subject) = proposal.shared() {
                shared += 1;
                let has_it = |user: &&&str| sharing.of[**user].contains(&subject.policy);
                let holders = USERS.iter().filter(has_it);
                let holders: Vec<String> = holders
                    .map(|user| format!("arn:aws:iam::{ACCOUNT}:user/{user}"))
                    .collect();
                assert_eq!(subject.holders, holders, "seed {seed}");
                narrowed += proposal.narrowed;
            }
            for statement in observed(proposal) {
                let alone = [json!({"Statement": [statement]})];
                let allows = |called: &Called<'_>| allowed(&alone, called.request);
                assert!(
                    calls.iter().any(allows),
                    "seed {seed}: nothing used {statement}"
                );
                let less = less(&edited, &statement);
                // What several have counts on no other policy; what a user has of its own on all that it has.
                let of = |user: &str, edited: &BTreeMap<String, Option<Value>>| match proposal
                    .shared()
                {
                    Some(subject) if sharing.of[user].contains(&subject.policy) => {
                        edited[&subject.policy].iter().cloned().collect()
                    }
                    Some(_) => Vec::new(),
                    None => sharing.documents_of(user, edited),
                };
                let denies = |called: &Called<'_>| {
                    let (user, request) = (called.request.user, called.request);
                    allowed(&of(user, &edited), request) && !allowed(&of(user, &less), request)
                };
                assert!(
                    calls.iter().any(denies),
                    "seed {seed}: {statement} is not needed in {edited:#?}"
                );
                needed += 1;
            }
            for (id, document) in edited {
                assert!(
                    together.insert(id, document).is_none(),
                    "edited twice, seed {seed}"
                );
            }
        }
        sharing.keep(seed, &calls, &together);
    }
    assert!(needed > 200, "only {needed} statements were needed");
    assert!(
        shared > 60,
        "only {shared} policies that several have were edited"
    );
    assert!(
        narrowed > 40,
        "only {narrowed} actions of them were narrowed"
    );
}

/// One statement, and calls of one Region; and one more.
#[test]
fn a_condition_goes_by_one_call_that_breaks_it() {
    let statement = json!({"Effect": "Allow", "Action": "dynamodb:*", "Resource": "*"});
    let world = World::new(vec![
        json!({"Version": "2012-10-17", "Statement": [statement]}),
    ]);
    let call = |region, day| Called {
        request: Request {
            user: "ana",
            action: "dynamodb:GetItem",
            resource: "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-20",
            region,
        },
        outcome: Outcome::Succeeded,
        day,
    };
    let found = |calls: &[Called<'_>]| {
        let proposal = proposed(&world, calls, (2, Asked::Conditions)).unwrap();
        let statements = proposal.documents[0].statements.iter();
        let mined: Vec<_> = statements.flat_map(|one| one.mined.clone()).collect();
        let conditions = &without(&proposal, "")[0]["Statement"][0]["Condition"];
        assert_eq!(conditions.is_null(), mined.is_empty());
        mined
    };
    let both = found(&[
        call("eu-west-1", 1),
        call("eu-west-1", 2),
        call("eu-west-1", 90),
    ]);
    assert_eq!(both.len(), 1);
    assert_eq!(both[0].key, "aws:RequestedRegion");
    assert_eq!(both[0].values, ["eu-west-1"]);
    assert_eq!((both[0].early, both[0].late), (2, 1));
    // Two values in both parts are two values.
    let two = found(&[
        call("eu-west-1", 1),
        call("us-east-1", 2),
        call("us-east-1", 90),
        call("eu-west-1", 91),
    ]);
    assert_eq!(two[0].values, ["eu-west-1", "us-east-1"]);
    // The last fifth shows another one, or nothing at all.
    assert_eq!(found(&[call("eu-west-1", 1), call("us-east-1", 90)]), []);
    assert_eq!(found(&[call("eu-west-1", 1), call("eu-west-1", 2)]), []);
    assert_eq!(found(&[call("eu-west-1", 90)]), []);
}

#[test]
fn three_thousand_pairs_fit_into_the_quotas() {
    let statement = json!({"Effect": "Allow", "Action": ["dynamodb:*", "s3:*"], "Resource": "*"});
    let world = World::new(vec![
        json!({"Version": "2012-10-17", "Statement": [statement]}),
    ]);
    let catalogue = Catalogue::bundled();
    let actions: Vec<&str> = catalogue
        .actions("dynamodb")
        .map(|action| action.full_name)
        .take(40)
        .collect();
    let letters = |number: usize| -> String {
        let digit = |number: usize| char::from(b'a' + u8::try_from(number % 26).unwrap());
        [digit(number), digit(number / 26)].iter().collect()
    };
    let names: Vec<String> = (0..75)
        .map(|number| {
            format!(
                "arn:aws:dynamodb:eu-west-1:111122223333:table/orders-of-the-year-{}",
                letters(number)
            )
        })
        .collect();
    let calls: Vec<Called<'_>> = actions
        .iter()
        .enumerate()
        .flat_map(|(place, action)| {
            // Another set of tables for each action: nothing folds by itself.
            let names = names.iter().cycle().skip(place).take(75 - place % 2);
            names.map(move |resource| Called {
                request: Request {
                    user: "ana",
                    action,
                    resource,
                    region: "eu-west-1",
                },
                outcome: Outcome::Succeeded,
                day: 1,
            })
        })
        .collect();
    assert!(calls.len() > 2_900);
    let proposal = proposed(&world, &calls, (2, Asked::New)).unwrap();
    assert!(proposal.documents.len() <= 10);
    for document in &proposal.documents {
        assert!(document.json().len() <= 6_144);
    }
    let new = without(&proposal, "");
    for called in &calls {
        assert!(allowed(&new, called.request), "{:?}", called.request);
    }
    assert_eq!(proposal, proposed(&world, &calls, (1, Asked::New)).unwrap());
}
