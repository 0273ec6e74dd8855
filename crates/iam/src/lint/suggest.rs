//! "Did you mean": the nearest of the known names.

/// The candidate nearest to `name`, whatever the case, if it is near enough to be meant.
pub(super) fn nearest<'c>(
    name: &str,
    candidates: impl Iterator<Item = &'c str>,
) -> Option<&'c str> {
    let lower = name.to_ascii_lowercase();
    // A third of a short name, a few letters of a long one.
    let limit = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .map(|candidate| (distance(&lower, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one to the other.
fn distance(left: &str, right: &str) -> usize {
    let right: Vec<char> = right.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    let mut left_before = None;
    for (row, left) in left.chars().enumerate() {
        let mut next = vec![row + 1];
        for (column, wanted) in right.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(left != *wanted);
            let removed = at(&last, column + 1) + 1;
            let added = at(&next, column) + 1;
            let mut best = replaced.min(removed).min(added);
            let swapped =
                column > 0 && left_before == Some(*wanted) && right.get(column - 1) == Some(&left);
            if swapped {
                best = best.min(at(&before_last, column - 1).saturating_add(1));
            }
            next.push(best);
        }
        before_last = std::mem::replace(&mut last, next);
        left_before = Some(left);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        for (left, right, expect) in [
            ("", "", 0),
            ("addtag", "addtags", 1),
            ("definiton", "definition", 1),
            ("getobejct", "getobject", 1),
            ("abc", "xyz", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(left, right), expect, "{left} {right}");
        }
    }

    #[test]
    fn only_what_is_near_is_meant() {
        let names = ["AddTags", "ListTags", "CreateFlowDefinition"];
        assert_eq!(nearest("AddTag", names.into_iter()), Some("AddTags"));
        assert_eq!(
            nearest("CreateFlowDefiniton", names.into_iter()),
            Some("CreateFlowDefinition")
        );
        assert_eq!(nearest("DropEverything", names.into_iter()), None);
    }
}
