//! Three-valued answers against all completions of what is unknown.
//!
//! `True` must be true in every completion and `False` false in every one. `Unknown` may be said
//! where the completions agree: Kleene's logic does not see that two conditions lean on one key.

use retrial_iam::{
    Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys, Principal, Resource, Scratch,
    Snapshot, Values,
};

use crate::support::{all_collected, empty_context, principal, request, role};

const KEYS: [&str; 3] = ["test:one", "test:two", "test:var"];

/// What a key can be in a complete request.
const DOMAIN: &[KeyState<'static>] = &[
    KeyState::Absent,
    KeyState::Known(Values::One("a")),
    KeyState::Known(Values::One("b")),
    KeyState::Known(Values::One("5")),
    KeyState::Known(Values::One("true")),
    KeyState::Known(Values::Many(&["a"])),
    KeyState::Known(Values::Many(&["a", "b"])),
];

/// Every operator, with values that the domain meets and misses.
const CONDITIONS: &[&str] = &[
    r#""StringEquals": {"test:one": "a"}"#,
    r#""StringNotEquals": {"test:one": ["a", "5"]}"#,
    r#""StringEqualsIfExists": {"test:one": "a"}"#,
    r#""StringNotEqualsIgnoreCase": {"test:one": "A"}"#,
    r#""StringLike": {"test:one": "*"}"#,
    r#""StringNotLike": {"test:one": ["a*", "b?"]}"#,
    r#""ForAllValues:StringEquals": {"test:one": ["a", "5"]}"#,
    r#""ForAnyValue:StringEquals": {"test:one": ["b"]}"#,
    r#""ForAllValues:StringNotEquals": {"test:one": "b"}"#,
    r#""ForAnyValue:StringNotLike": {"test:one": "a"}"#,
    r#""ForAnyValue:StringLikeIfExists": {"test:one": "a"}"#,
    r#""NumericEquals": {"test:one": "5"}"#,
    r#""NumericNotEquals": {"test:one": "4"}"#,
    r#""NumericLessThanIfExists": {"test:one": "4"}"#,
    r#""DateGreaterThan": {"test:one": "1970-01-01T00:00:04Z"}"#,
    r#""DateNotEquals": {"test:one": "5"}"#,
    r#""Bool": {"test:one": "TRUE"}"#,
    r#""BinaryEquals": {"test:one": "true"}"#,
    r#""NotIpAddress": {"test:one": "10.0.0.0/8"}"#,
    r#""ArnNotLike": {"test:one": "arn:aws:iam::*:role/*"}"#,
    r#""Null": {"test:one": "true"}"#,
    r#""Null": {"test:one": ["false", "true"]}"#,
    r#""Null": {"test:two": "false"}"#,
    r#""StringEquals": {"test:two": "${test:var}"}"#,
    r#""StringNotEquals": {"test:two": "${test:var}"}"#,
    r#""StringNotEquals": {"test:two": "${test:var, 'b'}"}"#,
    r#""StringLike": {"test:two": ["x${test:var}", "${test:var}*"]}"#,
    r#""StringNotEqualsIgnoreCase": {"test:two": "${test:var, 'B'}"}"#,
    r#""Bool": {"test:two": "${test:var}"}"#,
    r#""ForAnyValue:StringNotEquals": {"test:two": ["${test:var}", "a"]}"#,
    r#""SomethingElse": {"test:two": "a"}"#,
];

struct World {
    snapshot: Snapshot,
}

impl World {
    fn decide(
        &self,
        principal: &Principal,
        resource: Resource<'_>,
        context: &Context<'_>,
    ) -> Decision {
        let evaluator = Evaluator::new(Catalogue::bundled(), &self.snapshot);
        evaluator
            .evaluate(
                principal,
                &request("example:Do", resource, context),
                &mut Scratch::default(),
            )
            .decision
    }
}

/// Every assignment of states to the keys that agrees with `states`, unknown ones filled in.
fn completions(states: [KeyState<'static>; 3]) -> Vec<[KeyState<'static>; 3]> {
    let choices = states.map(|state| {
        if state == KeyState::Unknown {
            DOMAIN
        } else {
            std::slice::from_ref(Box::leak(Box::new(state)))
        }
    });
    let mut all = Vec::new();
    for one in choices[0] {
        for two in choices[1] {
            for variable in choices[2] {
                all.push([*one, *two, *variable]);
            }
        }
    }
    all
}

fn context(states: [KeyState<'static>; 3]) -> Context<'static> {
    let mut context = Context::new(MissingKeys::Absent);
    for (key, state) in KEYS.iter().zip(states) {
        context.set(key, state);
    }
    context
}

/// What a decision says of the only statement that matters.
fn applies(decision: Decision, effect: &str) -> Option<bool> {
    match (effect, decision) {
        ("Allow", Decision::Allowed) | ("Deny", Decision::ExplicitDeny) => Some(true),
        ("Allow", Decision::ImplicitDeny) | ("Deny", Decision::Allowed) => Some(false),
        (_, Decision::Undetermined) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn condition_blocks_agree_with_all_completions() {
    let world = World {
        snapshot: all_collected(),
    };
    let mut states: Vec<KeyState<'static>> = DOMAIN.to_vec();
    states.push(KeyState::Unknown);
    let mut firm = 0;
    for (index, first) in CONDITIONS.iter().enumerate() {
        let second = CONDITIONS[(index * 7 + 5) % CONDITIONS.len()];
        // Two conditions with one operator would be one member of the block.
        let block = if first.split(':').next() == second.split(':').next() {
            (*first).to_owned()
        } else {
            format!("{first}, {second}")
        };
        for effect in ["Allow", "Deny"] {
            let allow = r#"{"Effect": "Allow", "Action": "*", "Resource": "*"}"#;
            let tested = format!(
                r#"{{"Effect": "{effect}", "Action": "*", "Resource": "*", "Condition": {{{block}}}}}"#
            );
            let statements = if effect == "Allow" {
                tested
            } else {
                format!("{allow}, {tested}")
            };
            let principal = role(&[&format!(
                r#"{{"Version": "2012-10-17", "Statement": [{statements}]}}"#
            )]);
            for one in &states {
                for two in &states {
                    for variable in &states {
                        let partial = [*one, *two, *variable];
                        if !partial.contains(&KeyState::Unknown) {
                            continue;
                        }
                        let Some(answer) = applies(
                            world.decide(&principal, Resource::Any, &context(partial)),
                            effect,
                        ) else {
                            continue;
                        };
                        firm += 1;
                        for complete in completions(partial) {
                            let truth = applies(
                                world.decide(&principal, Resource::Any, &context(complete)),
                                effect,
                            );
                            assert_eq!(
                                truth,
                                Some(answer),
                                "{block} with {partial:?}, completed to {complete:?}"
                            );
                        }
                    }
                }
            }
        }
    }
    assert!(firm > 1000, "the test must meet firm answers: {firm}");
}

/// All texts over `alphabet` up to a length.
fn texts(alphabet: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut start = 0;
    for _ in 0..longest {
        let end = all.len();
        for index in start..end {
            for character in alphabet {
                all.push(format!("{}{character}", all[index]));
            }
        }
        start = end;
    }
    all
}

/// The obvious matcher, exponential and all.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|eaten| matches(rest, &text[eaten..])),
        Some(('?', rest)) => !text.is_empty() && matches(rest, &text[1..]),
        Some((character, rest)) => text.first() == Some(character) && matches(rest, &text[1..]),
    }
}

fn glob_role(pattern: &str) -> Principal {
    role(&[&format!(
        r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:example:::{pattern}"}}}}"#
    )])
}

#[test]
fn resources_match_as_the_obvious_matcher_says() {
    let world = World {
        snapshot: all_collected(),
    };
    let context = empty_context();
    let found = texts(&['a', 'é', ':'], 4);
    for pattern in texts(&['a', 'é', '*', '?'], 4) {
        let principal = glob_role(&pattern);
        let pattern: Vec<char> = pattern.chars().collect();
        for text in &found {
            let expect = matches(&pattern, &text.chars().collect::<Vec<char>>());
            let decision = world.decide(
                &principal,
                Resource::Arn(&format!("arn:aws:example:::{text}")),
                &context,
            );
            assert_eq!(
                decision == Decision::Allowed,
                expect,
                "{pattern:?} on {text}"
            );
        }
    }
}

#[test]
fn resources_with_holes_agree_with_all_completions() {
    let world = World {
        snapshot: all_collected(),
    };
    let context = empty_context();
    let fillings = texts(&['a', 'b'], 4);
    let holed: Vec<String> = texts(&['a', 'b', '*'], 3)
        .into_iter()
        .filter(|text| text.matches('*').count() == 1)
        .collect();
    let mut firm = 0;
    for pattern in texts(&['a', 'b', '*', '?'], 4) {
        let principal = glob_role(&pattern);
        let pattern: Vec<char> = pattern.chars().collect();
        for text in &holed {
            let decision = world.decide(
                &principal,
                Resource::Unknown(&format!("arn:aws:example:::{text}")),
                &context,
            );
            let truths: Vec<bool> = fillings
                .iter()
                .map(|filling| {
                    matches(
                        &pattern,
                        &text.replace('*', filling).chars().collect::<Vec<char>>(),
                    )
                })
                .collect();
            match decision {
                Decision::Allowed => assert!(
                    truths.iter().all(|truth| *truth),
                    "{pattern:?} does not cover {text}"
                ),
                Decision::ImplicitDeny => {
                    assert!(!truths.contains(&true), "{pattern:?} can match {text}")
                }
                Decision::Undetermined => {
                    // "Can match" is exact; only "matches all" may be missed.
                    assert!(truths.contains(&true), "{pattern:?} cannot match {text}");
                    continue;
                }
                Decision::ExplicitDeny => panic!("nothing denies"),
            }
            firm += 1;
        }
    }
    assert!(firm > 1000, "the test must meet firm answers: {firm}");
}

#[test]
fn variables_in_resources_agree_with_all_completions() {
    let world = World {
        snapshot: all_collected(),
    };
    let values = ["", "a", "b", "*", "ab"];
    for (element, pattern) in ["Resource", "NotResource"].into_iter().flat_map(|element| {
        [
            "${test:var}",
            "a${test:var}",
            "${test:var}*",
            "*${test:var}b",
            "${test:var, 'a'}",
            "b${test:var, 'b'}${test:var}",
            "${test:var}:x",
        ]
        .map(|pattern| (element, pattern))
    }) {
        let document = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Allow", "Action": "*", "{element}": ["arn:aws:example:::{pattern}", "arn:aws:example:::bb"]}}}}"#
        );
        let principal = principal("arn:aws:iam::111122223333:role/app", &[&document], None);
        for text in texts(&['a', 'b', '*'], 3) {
            let arn = format!("arn:aws:example:::{text}");
            let decide = |state| {
                world.decide(
                    &principal,
                    Resource::Arn(&arn),
                    &context([KeyState::Absent, KeyState::Absent, state]),
                )
            };
            let partial = decide(KeyState::Unknown);
            let mut complete = vec![
                decide(KeyState::Absent),
                decide(KeyState::Known(Values::Many(&["a", "b"]))),
            ];
            complete.extend(values.map(|value| decide(KeyState::Known(Values::One(value)))));
            if partial != Decision::Undetermined {
                assert!(
                    complete.iter().all(|decision| *decision == partial),
                    "{element} {pattern} on {text}: {partial:?}, but {complete:?}"
                );
            }
        }
    }
}
