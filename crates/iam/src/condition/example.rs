//! Values of a key on either side of what a condition wants.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::operator::Comparison;
use super::value::Cidr;
use super::{Condition, Wanted};
use crate::context::Keys;
use crate::pattern::{ArnPattern, Pattern};

/// What stands for a `*` in an example.
const ANY_TEXT: &str = "x";

impl Condition {
    /// A value for each of the policy's values, and those between and beside them where they have an
    /// order. A value that holds a variable of unknown value has none.
    pub(crate) fn examples(&self, keys: &Keys<'_>) -> Vec<String> {
        match &self.wanted {
            Wanted::Bools(_) => vec!["true".to_owned(), "false".to_owned()],
            Wanted::Numbers(_, wanted) => {
                let steps = around(wanted.iter().flatten().copied().collect());
                steps.into_iter().map(|number| number.to_string()).collect()
            }
            Wanted::Dates(_, wanted) => {
                let seconds = |nanoseconds: &i128| *nanoseconds as f64 / 1e9;
                let steps = around(wanted.iter().flatten().map(seconds).collect());
                steps.into_iter().map(|second| second.to_string()).collect()
            }
            Wanted::Ranges(wanted) => wanted
                .iter()
                .flatten()
                .flat_map(|range| range.ends_and_neighbours())
                .map(|address| address.to_string())
                .collect(),
            Wanted::Binaries(_) => self.source.values.clone(),
            Wanted::Null(_) | Wanted::Unknown => Vec::new(),
            Wanted::TextsIgnoringCase(_) => {
                let texts = self.examples_around(ANY_TEXT, keys);
                let cases =
                    |text: &String| [text.clone(), text.to_lowercase(), text.to_uppercase()];
                texts.iter().flat_map(cases).collect()
            }
            Wanted::Texts(_) | Wanted::Arns(_) => self.examples_around(ANY_TEXT, keys),
        }
    }

    /// Values that the patterns match, with `text` in place of each `*`.
    pub(crate) fn examples_around(&self, text: &str, keys: &Keys<'_>) -> Vec<String> {
        let of_texts = self.wanted.patterns().iter();
        let of_arns = self.wanted.arns().iter();
        of_texts
            .filter_map(|pattern| pattern.example(text, keys))
            .chain(of_arns.filter_map(|pattern| pattern.example(text, keys)))
            .collect()
    }

    /// Whether one of the policy's values is met by one value of the request alone.
    pub(crate) fn is_one_value(&self, number: usize) -> bool {
        match &self.wanted {
            Wanted::Texts(patterns) => patterns
                .get(number)
                .is_some_and(|pattern| !pattern.has_wildcards()),
            Wanted::Arns(patterns) => patterns
                .get(number)
                .is_some_and(|pattern| pattern.is_complete() && !pattern.has_wildcards()),
            Wanted::Numbers(comparison, _) | Wanted::Dates(comparison, _) => {
                *comparison == Comparison::Equals
            }
            Wanted::Bools(_) | Wanted::Binaries(_) => true,
            Wanted::TextsIgnoringCase(_)
            | Wanted::Ranges(_)
            | Wanted::Null(_)
            | Wanted::Unknown => false,
        }
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.wanted.patterns().iter().any(Pattern::has_wildcards)
            || self.wanted.arns().iter().any(ArnPattern::has_wildcards)
    }
}

/// The numbers, and one below, between and above them.
fn around(mut numbers: Vec<f64>) -> Vec<f64> {
    numbers.sort_by(f64::total_cmp);
    numbers.dedup();
    let mut all = numbers.clone();
    for pair in numbers.windows(2) {
        if let [low, high] = pair {
            all.push(low + (high - low) / 2.0);
        }
    }
    all.extend(numbers.first().map(|least| least - 1.0));
    all.extend(numbers.last().map(|most| most + 1.0));
    all
}

impl Cidr {
    /// Its first and last address, and those just outside.
    fn ends_and_neighbours(self) -> Vec<IpAddr> {
        match self {
            Cidr::V4 { network, mask } => {
                let last = network | !mask;
                [
                    Some(network),
                    Some(last),
                    network.checked_sub(1),
                    last.checked_add(1),
                ]
                .into_iter()
                .flatten()
                .map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits)))
                .collect()
            }
            Cidr::V6 { network, mask } => {
                let last = network | !mask;
                [
                    Some(network),
                    Some(last),
                    network.checked_sub(1),
                    last.checked_add(1),
                ]
                .into_iter()
                .flatten()
                .map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits)))
                .collect()
            }
        }
    }
}
