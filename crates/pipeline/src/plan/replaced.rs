//! Whether the days that were to be done anew were.

use std::collections::BTreeSet;

use retrial_cloudtrail::Day;

use super::days::{DayRange, parse_delivery_date};
use super::stored::PlanRef;

/// What was to be done anew, and what of it was.
pub(crate) struct Replaced {
    asked: Vec<DayRange>,
    /// The days that the output has.
    before: BTreeSet<Day>,
    done: BTreeSet<Day>,
}

impl Replaced {
    /// Nothing is done yet.
    pub(crate) fn new(asked: &[DayRange], plans: &[PlanRef]) -> Self {
        let days = plans
            .iter()
            .filter_map(|plan| parse_delivery_date(&plan.delivery_date).flatten());
        Self {
            asked: asked.to_vec(),
            before: days.collect(),
            done: BTreeSet::new(),
        }
    }

    /// A day was planned whole.
    pub(crate) fn done(&mut self, day: Option<Day>) {
        self.done.extend(day);
    }

    /// What was not: the ranges of which no day was, and of the others the days that the output has.
    pub(crate) fn not_done(&self) -> Vec<DayRange> {
        let mut not_done = Vec::new();
        for range in &self.asked {
            let within = |days: &BTreeSet<Day>| -> BTreeSet<Day> {
                days.range(range.first..=range.last).copied().collect()
            };
            let done = within(&self.done);
            if done.is_empty() {
                not_done.push(*range);
                continue;
            }
            let left = &within(&self.before) - &done;
            not_done.extend(left.into_iter().map(|day| DayRange {
                first: day,
                last: day,
            }));
        }
        not_done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_done() {
        let range = |text: &str| text.parse::<DayRange>().unwrap();
        let check = |asked: &[&str], done: &[&str], expect: &[&str]| {
            let plans: Vec<PlanRef> = ["2026-11-02", "2026-11-03", "2026-11-05", "unknown"]
                .map(|date| PlanRef {
                    number: 1,
                    key: String::new(),
                    delivery_date: date.to_owned(),
                    files: 1,
                    bytes: 1,
                })
                .to_vec();
            let asked: Vec<DayRange> = asked.iter().map(|text| range(text)).collect();
            let mut replaced = Replaced::new(&asked, &plans);
            for day in done {
                replaced.done(Some(range(day).first));
            }
            replaced.done(None);
            let found: Vec<String> = replaced
                .not_done()
                .iter()
                .map(DayRange::to_string)
                .collect();
            assert_eq!(found, expect);
        };
        check(&[], &[], &[]);
        check(&["2026-11-02"], &["2026-11-02"], &[]);
        check(&["2026-11-02"], &["2026-11-03"], &["2026-11-02"]);
        check(&["2026-11-09"], &[], &["2026-11-09"]);
        let month = "2026-11-01..2026-11-30";
        check(&[month], &[], &[month]);
        check(&[month], &["2026-11-03"], &["2026-11-02", "2026-11-05"]);
        // A day that was never there is nothing to miss in a range.
        check(&[month], &["2026-11-02", "2026-11-03", "2026-11-05"], &[]);
    }
}
