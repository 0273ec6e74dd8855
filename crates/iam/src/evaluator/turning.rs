//! Which values of an unknown key would turn an undetermined decision.
//!
//! The policies' own operands cut the values of a key into classes that no statement about the action can
//! tell apart. One value of each class is tried in the key's place, the other unknown keys left as they
//! are.

use std::net::IpAddr;

use super::Question;
use super::layers::{Layers, Session};
use super::verdict::Truths;
use crate::condition::{Compared, Condition};
use crate::context::{KeyState, Keys, Values};
use crate::explanation::{Operand, Turn, TurnValue, TurningKey};
use crate::kms_grant::KmsGrant;
use crate::pattern::ResourceText;
use crate::policy::{CompiledPolicy, Statement};
use crate::truth::Truth;
use crate::{Context, Decision};

/// The longest text of which every part is tried as the value of a policy variable.
const LONGEST_SEARCHED: usize = 64;

/// Patterns of one key of which each two are tried together: `a*` and `*b` are both met by `ab`.
const MOST_PAIRED: usize = 32;

/// Values of one key that are tried; a policy that IAM takes seldom has a tenth of them.
const MOST_TRIED: usize = 2048;

/// What `keys` would have to be. `decide` answers the request with another context.
pub(super) fn turning_keys(
    keys: &[&str],
    layers: &Layers<'_, '_>,
    question: &Question<'_>,
    decide: &dyn Fn(&Context<'_>) -> Decision,
) -> Vec<TurningKey> {
    let statements = statements_of(layers, question);
    let mut names: Vec<&str> = keys.iter().copied().filter(|key| is_key(key)).collect();
    // Those of session policies are named as the catalogue spells them.
    for statement in session_statements(layers, question) {
        statement.unknown_keys(question.resource, &question.keys, &mut |key| {
            let is_new = !names.iter().any(|name| name.eq_ignore_ascii_case(key));
            if is_key(key) && is_new {
                names.push(key);
            }
        });
    }
    names
        .into_iter()
        .map(|key| {
            let search = Search {
                key,
                statements: &statements,
                grants: layers.resource.grants.unwrap_or_default(),
                question,
            };
            TurningKey {
                key: key.to_owned(),
                turns: search.turns(decide),
            }
        })
        .collect()
}

/// Whether a name of what is unknown is a key: neither the resource nor a whole family of keys.
fn is_key(name: &str) -> bool {
    name != "resource" && !name.contains(['*', '$'])
}

/// The statements about the action, of every layer.
fn statements_of<'p>(layers: &Layers<'p, 'p>, question: &Question<'_>) -> Vec<&'p Statement> {
    let attached = Truths::LAYERS
        .into_iter()
        .flat_map(|layer| layers.policies(layer))
        .filter_map(|attached| attached.policy.as_deref().ok());
    attached
        .flat_map(|policy| policy.about(question.action))
        .chain(session_statements(layers, question))
        .collect()
}

fn session_statements<'p>(
    layers: &Layers<'p, 'p>,
    question: &Question<'_>,
) -> impl Iterator<Item = &'p Statement> {
    let policies: &[&'p CompiledPolicy] = match layers.session {
        Session::Known(policies) => policies,
        Session::None | Session::Unknown | Session::FederatedWithout => &[],
    };
    let action = question.action;
    policies.iter().flat_map(move |policy| policy.about(action))
}

/// The search for the values of one key.
struct Search<'q> {
    key: &'q str,
    statements: &'q [&'q Statement],
    grants: &'q [KmsGrant],
    question: &'q Question<'q>,
}

/// What the statements make of one state of the key: equal for the values that they cannot tell apart.
#[derive(Debug, Default, PartialEq, Eq)]
struct Signature {
    truths: Vec<Truth>,
    /// The operands of conditions on the key itself.
    compared: Vec<Compared>,
}

impl<'q> Search<'q> {
    fn turns(&self, decide: &dyn Fn(&Context<'_>) -> Decision) -> Vec<Turn> {
        let (parts, all_parts) = self.parts_of_texts();
        let classes = self.classes(self.values());
        let mut seen: Vec<Signature> = Vec::new();
        let mut turns = Vec::new();
        let mut other = None;
        for (value, signature) in classes {
            let decision = || self.with(&KeyValue::Text(&value), |keys| decide(keys.context));
            let (operands, is_exact) = self.met(&signature);
            if is_exact {
                turns.push(Turn {
                    decision: decision(),
                    value: TurnValue::Is(value),
                });
            } else if !operands.is_empty() {
                turns.push(Turn {
                    decision: decision(),
                    value: TurnValue::Meeting {
                        operands,
                        example: value,
                    },
                });
            } else if other.is_none() && all_parts && !parts.contains(&value) {
                other = Some(Turn {
                    decision: decision(),
                    value: TurnValue::Other,
                });
            } else {
                continue;
            }
            seen.push(signature);
        }
        for (value, signature) in self.classes(parts) {
            if !seen.contains(&signature) {
                let decision = self.with(&KeyValue::Text(&value), |keys| decide(keys.context));
                turns.push(Turn {
                    decision,
                    value: TurnValue::Is(value),
                });
            }
        }
        turns.extend(other);
        turns.push(Turn {
            decision: self.with(&KeyValue::Absent, |keys| decide(keys.context)),
            value: TurnValue::Absent,
        });
        turns
    }

    /// The first value of each class, of the type that the operators take.
    fn classes(&self, values: Vec<String>) -> Vec<(String, Signature)> {
        let mut classes: Vec<(String, Signature)> = Vec::new();
        for value in values {
            let signature = self.with(&KeyValue::Text(&value), |keys| self.signature(&value, keys));
            if !classes.iter().any(|(_, known)| *known == signature) {
                classes.push((value, signature));
            }
        }
        let mistyped = |signature: &Signature| {
            let is_wrong = |compared: &&Compared| **compared == Compared::WrongType;
            signature.compared.iter().filter(is_wrong).count()
        };
        // An operand may be of no type itself; no value suits that one.
        let least = classes
            .iter()
            .map(|(_, signature)| mistyped(signature))
            .min();
        classes.retain(|(_, signature)| Some(mistyped(signature)) == least);
        classes
    }

    /// Asks with a state of the key in place of the unknown one.
    fn with<T>(&self, value: &KeyValue<'_>, ask: impl FnOnce(&Keys<'_>) -> T) -> T {
        let keys = self.question.keys;
        let mut context = keys.context.clone();
        let list: Vec<&str> = match value {
            KeyValue::Text(text) => vec![text],
            KeyValue::Absent => Vec::new(),
        };
        let state = match list.as_slice() {
            [one] if !self.is_multivalued() => KeyState::Known(Values::One(one)),
            [] => KeyState::Absent,
            many => KeyState::Known(Values::Many(many)),
        };
        context.set(self.key, state);
        ask(&Keys {
            context: &context,
            catalogue: keys.catalogue,
            action: keys.action,
        })
    }

    fn is_multivalued(&self) -> bool {
        let documented = self.question.keys.catalogue.is_multivalued(self.key);
        documented.unwrap_or_else(|| self.conditions().any(Condition::has_set_operator))
    }

    /// The conditions on the key.
    fn conditions(&self) -> impl Iterator<Item = &'q Condition> {
        let key = self.key;
        self.statements
            .iter()
            .flat_map(|statement| &statement.conditions)
            .filter(move |condition| condition.key().eq_ignore_ascii_case(key))
    }

    fn signature(&self, value: &str, keys: &Keys<'_>) -> Signature {
        let mut signature = Signature::default();
        for statement in self.statements {
            let resource = statement.resource.matches(self.question.resource, keys);
            signature.truths.push(resource);
            for condition in &statement.conditions {
                signature.truths.push(condition.holds(keys));
            }
        }
        for condition in self.conditions() {
            signature
                .compared
                .extend(condition.compare_each(value, keys));
        }
        for grant in self.grants {
            let allows = grant.allows(&self.question.caller, self.question.action, keys);
            signature.truths.push(allows.account);
        }
        signature
    }

    /// The operands that a value with this signature meets, and whether only one value does.
    fn met(&self, signature: &Signature) -> (Vec<Operand>, bool) {
        let written = self.conditions().flat_map(|condition| {
            let source = condition.source();
            (0..).zip(&source.values).map(move |(number, value)| {
                let operand = Operand {
                    operator: source.operator.clone(),
                    value: value.clone(),
                };
                (operand, condition.is_one_value(number))
            })
        });
        let mut met: Vec<Operand> = Vec::new();
        let mut is_exact = false;
        for ((operand, is_one_value), compared) in written.zip(&signature.compared) {
            if *compared == Compared::Is(Truth::True) {
                is_exact |= is_one_value;
                if !met.contains(&operand) {
                    met.push(operand);
                }
            }
        }
        (met, is_exact)
    }

    /// A value of every class that the operands of the key tell apart, and one that meets none.
    fn values(&self) -> Vec<String> {
        let keys = self.question.keys;
        let mut values: Vec<String> = self
            .conditions()
            .flat_map(|condition| condition.examples(&keys))
            .take(MOST_TRIED)
            .collect();
        let wanted = self.grants.iter().flat_map(|grant| grant.wanted(self.key));
        values.extend(wanted.take(MOST_TRIED).map(str::to_owned));
        values.extend(self.paired());
        values.extend(
            (0..)
                .take(MOST_PAIRED)
                .map(|number| format!("other-{number}")),
        );
        values.extend(OTHER_ARNS.map(str::to_owned));
        values.extend(OTHER_ADDRESSES.map(|address| address.to_string()));
        values.push(OTHER_DATA.to_owned());
        values
    }

    /// Values that meet two patterns at once.
    fn paired(&self) -> Vec<String> {
        let keys = self.question.keys;
        let wild: Vec<&Condition> = self
            .conditions()
            .filter(|condition| condition.has_wildcards())
            .take(MOST_PAIRED)
            .collect();
        let examples: Vec<String> = wild
            .iter()
            .flat_map(|condition| condition.examples(&keys))
            .take(MOST_PAIRED)
            .collect();
        wild.iter()
            .flat_map(|condition| {
                examples
                    .iter()
                    .flat_map(|example| condition.examples_around(example, &keys))
            })
            .collect()
    }

    /// The parts of the texts that a variable of this key is held against, the shorter ones first; and
    /// whether these are all that could turn it.
    fn parts_of_texts(&self) -> (Vec<String>, bool) {
        let mut texts: Vec<&str> = Vec::new();
        if self
            .statements
            .iter()
            .any(|statement| self.is_variable_of(statement))
            && let ResourceText::Arn(arn) = self.question.resource
        {
            texts.push(arn.resource());
        }
        for condition in self.statements.iter().flat_map(|it| &it.conditions) {
            let has_variable = condition
                .variables()
                .any(|key| key.eq_ignore_ascii_case(self.key));
            if let KeyState::Known(values) = self.question.keys.state(condition.key())
                && has_variable
            {
                texts.extend(values.iter());
            }
        }
        let mut parts: Vec<String> = Vec::new();
        let mut all = true;
        for text in texts {
            all &= text.len() <= LONGEST_SEARCHED;
            if text.len() <= LONGEST_SEARCHED {
                parts.extend(substrings(text));
            } else {
                parts.extend(text.split(['/', ':', '-', '_', '.']).map(str::to_owned));
            }
        }
        parts.sort_by(|one, other| one.len().cmp(&other.len()).then(one.cmp(other)));
        parts.dedup();
        all &= parts.len() <= MOST_TRIED;
        parts.truncate(MOST_TRIED);
        (parts, all)
    }

    fn is_variable_of(&self, statement: &Statement) -> bool {
        statement
            .resource
            .variable_keys()
            .any(|key| key.eq_ignore_ascii_case(self.key))
    }
}

/// What stands in the key's place.
enum KeyValue<'v> {
    Text(&'v str),
    Absent,
}

/// ARNs that no policy names.
const OTHER_ARNS: [&str; 2] = ["arn:aws:example:::other-0", "arn:aws-example:other:::0"];

/// Addresses for documentation, and two of the internet's.
const OTHER_ADDRESSES: [IpAddr; 5] = [
    IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 1)),
    IpAddr::V6(std::net::Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
    IpAddr::V4(std::net::Ipv4Addr::new(8, 8, 8, 8)),
];

/// base64 that no policy has.
const OTHER_DATA: &str = "b3RoZXItdmFsdWU=";

/// Every part of a text.
fn substrings(text: &str) -> Vec<String> {
    let places: Vec<usize> = text
        .char_indices()
        .map(|(place, _)| place)
        .chain([text.len()])
        .collect();
    let mut parts = Vec::new();
    for (number, start) in places.iter().enumerate() {
        for end in places.iter().skip(number) {
            parts.extend(text.get(*start..*end).map(str::to_owned));
        }
    }
    parts
}
