//! Kept actions as few patterns, which stand for nothing that goes, and for nothing that was not granted.

use std::collections::BTreeSet;

use retrial_iam::{ActionPattern, Catalogue, StatementView};

/// Fewer actions than these are written out.
const LEAST: usize = 3;

/// The actions of a statement that are to stand in a proposal.
pub(super) struct Folding<'f> {
    /// They stay.
    pub(super) kept: &'f BTreeSet<String>,
    /// Granted, and with no resource to act on: a pattern may stand for them or not.
    pub(super) dead: &'f BTreeSet<String>,
    pub(super) catalogue: &'f Catalogue,
    granted: Vec<ActionPattern>,
    is_not_action: bool,
}

impl<'f> Folding<'f> {
    pub(super) fn new(
        statement: StatementView<'_>,
        (kept, dead): (&'f BTreeSet<String>, &'f BTreeSet<String>),
        catalogue: &'f Catalogue,
    ) -> Self {
        Folding {
            kept,
            dead,
            catalogue,
            granted: statement.actions().map(ActionPattern::new).collect(),
            is_not_action: statement.is_not_action(),
        }
    }

    /// The patterns, sorted.
    pub(super) fn patterns(&self) -> Vec<String> {
        let mut folded = Vec::new();
        let mut known = BTreeSet::new();
        let mut services: Vec<&str> = self
            .kept
            .iter()
            .filter_map(|action| Some(action.split_once(':')?.0))
            .collect();
        services.dedup();
        for service in services {
            let mut names: Vec<&str> = self
                .catalogue
                .actions(service)
                .filter_map(|action| Some(action.full_name.split_once(':')?.1))
                .collect();
            names.sort_unstable();
            known.extend(names.iter().map(|name| format!("{service}:{name}")));
            self.fold(service, &names, 0, &mut folded);
        }
        // What the catalogue does not have stands as it is written.
        let unknown = self.kept.iter().filter(|action| !known.contains(*action));
        folded.extend(unknown.cloned());
        folded.sort_unstable();
        folded.dedup();
        folded
    }

    /// Of names with the same beginning, sorted.
    fn fold(&self, service: &str, names: &[&str], beginning: usize, folded: &mut Vec<String>) {
        let full = |name: &str| format!("{service}:{name}");
        let kept = names.iter().filter(|name| self.kept.contains(&full(name)));
        let kept: Vec<&str> = kept.copied().collect();
        let Some(first) = kept.first() else {
            return;
        };
        if kept.len() < LEAST {
            folded.extend(kept.into_iter().map(full));
            return;
        }
        let prefix = first.get(..beginning).unwrap_or_default();
        let pattern = format!("{service}:{prefix}*");
        let is_whole_service = prefix.is_empty();
        let may_go =
            |name: &&str| self.kept.contains(&full(name)) || self.dead.contains(&full(name));
        // A whole service is more than was looked at: what AWS adds to it would be granted, too.
        if !is_whole_service && names.iter().all(may_go) && self.is_granted(&pattern) {
            folded.push(pattern);
            return;
        }
        for group in names.chunk_by(|one, other| word(one, beginning) == word(other, beginning)) {
            let longer = group
                .first()
                .map_or(beginning, |name| beginning + word(name, beginning).len());
            match longer > beginning {
                true => self.fold(service, group, longer, folded),
                // It ends here: nothing is left to tell it by.
                false => folded.extend(
                    group
                        .iter()
                        .map(|name| full(name))
                        .filter(|name| self.kept.contains(name)),
                ),
            }
        }
    }

    fn is_granted(&self, pattern: &str) -> bool {
        let pattern = ActionPattern::new(pattern);
        match self.is_not_action {
            true => !self.granted.iter().any(|one| one.may_overlap(&pattern)),
            false => self.granted.iter().any(|one| pattern.is_within(one)),
        }
    }
}

/// The word of a name that begins at a place: `Object` of `GetObjectAcl` at 3.
fn word(name: &str, beginning: usize) -> &str {
    let rest = name.get(beginning..).unwrap_or_default();
    let end = rest
        .char_indices()
        .skip(1)
        .find(|(_, character)| !character.is_ascii_lowercase())
        .map_or(rest.len(), |(place, _)| place);
    rest.get(..end).unwrap_or_default()
}
