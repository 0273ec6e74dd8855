//! Whether two forms of text have a text in common: a policy's pattern and the template of an ARN.
//!
//! Both are texts with gaps, so this is the emptiness of the intersection of two globs: at most
//! pattern × template steps.

/// One piece of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Character(char),
    /// One character; `false`: none that is `/`.
    One(bool),
    /// Any number of characters; `false`: none that is `/`.
    Many(bool),
}

/// A text with gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form(Vec<Piece>);

impl Form {
    /// A policy's pattern: `*`, `?`; variables and placeholders stand for any text.
    pub(super) fn of_pattern(pattern: &str) -> Form {
        let mut pieces = Vec::with_capacity(pattern.len());
        let mut rest = pattern;
        while let Some(next) = rest.chars().next() {
            let gap = match next {
                '$' => rest
                    .strip_prefix("${")
                    .and_then(|rest| rest.split_once('}')),
                '<' => rest.strip_prefix('<').and_then(|rest| rest.split_once('>')),
                _ => None,
            };
            if let Some((name, tail)) = gap {
                pieces.push(match (rest.starts_with("${"), name) {
                    // `${*}`, `${?}` and `${$}` are these very characters.
                    (true, "*") => Piece::Character('*'),
                    (true, "?") => Piece::Character('?'),
                    (true, "$") => Piece::Character('$'),
                    _ => Piece::Many(true),
                });
                rest = tail;
                continue;
            }
            pieces.push(match next {
                '*' => Piece::Many(true),
                '?' => Piece::One(true),
                _ => Piece::Character(next),
            });
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        Form(pieces)
    }

    /// A text without gaps.
    pub(super) fn of_text(text: &str) -> Form {
        Form(text.chars().map(Piece::Character).collect())
    }

    /// A template of the reference: each variable stands for at least one character. `last_has_slash`
    /// says whether the last one may hold a `/`.
    pub(super) fn of_template(template: &str, last_has_slash: bool) -> Form {
        let mut pieces = Vec::with_capacity(template.len());
        let mut rest = template;
        while let Some(next) = rest.chars().next() {
            let variable = rest
                .strip_prefix("${")
                .and_then(|variable| variable.split_once('}'));
            if let Some((_, tail)) = variable {
                let slash = last_has_slash || tail.contains("${");
                pieces.extend([Piece::One(slash), Piece::Many(slash)]);
                rest = tail;
                continue;
            }
            pieces.push(match next {
                '*' => Piece::Many(true),
                _ => Piece::Character(next),
            });
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
        }
        Form(pieces)
    }

    /// Whether some text has both forms.
    pub(super) fn meets(&self, other: &Form) -> bool {
        // Most pairs differ in their first letters or in their last ones, or have none but letters.
        let (mut ours, mut theirs) = (self.0.as_slice(), other.0.as_slice());
        while let (
            [Piece::Character(left), our_rest @ ..],
            [Piece::Character(right), their_rest @ ..],
        ) = (ours, theirs)
        {
            if left != right {
                return false;
            }
            (ours, theirs) = (our_rest, their_rest);
        }
        while let (
            [our_rest @ .., Piece::Character(left)],
            [their_rest @ .., Piece::Character(right)],
        ) = (ours, theirs)
        {
            if left != right {
                return false;
            }
            (ours, theirs) = (our_rest, their_rest);
        }
        match (ours, theirs) {
            ([], rest) | (rest, []) => rest.iter().all(|piece| matches!(piece, Piece::Many(_))),
            ([Piece::Many(true)], _) | (_, [Piece::Many(true)]) => true,
            (text, [Piece::One(slash), Piece::Many(other)])
            | ([Piece::One(slash), Piece::Many(other)], text)
                if slash == other =>
            {
                // What a single variable is left to stand for; gaps of a text need no `/`.
                *slash || !text.contains(&Piece::Character('/'))
            }
            _ => meet(ours, theirs),
        }
    }
}

/// So many pieces at least need no memory of their own while they are compared.
const FEW: usize = 64;

fn meet(ours: &[Piece], theirs: &[Piece]) -> bool {
    if theirs.len() < FEW {
        let (mut reached, mut next) = ([false; FEW], [false; FEW]);
        return meet_in(ours, theirs, (&mut reached, &mut next));
    }
    let mut reached = vec![false; theirs.len() + 1];
    let mut next = reached.clone();
    meet_in(ours, theirs, (&mut reached, &mut next))
}

/// `reached` are the places in `theirs` that are reached before each piece of `ours`, at first none.
fn meet_in<'p>(
    ours: &[Piece],
    theirs: &[Piece],
    (mut reached, mut next): (&'p mut [bool], &'p mut [bool]),
) -> bool {
    set(reached, 0);
    skip_gaps(theirs, reached);
    for piece in ours {
        match piece {
            Piece::Many(_) => next.copy_from_slice(reached),
            _ => next.fill(false),
        }
        for (place, their) in theirs.iter().enumerate() {
            // A `Many` of ours goes on from the places that it has reached itself.
            let here = match piece {
                Piece::Many(_) => is_set(next, place),
                _ => is_set(reached, place),
            };
            if here && overlap(*piece, *their) {
                set(next, place + 1);
                if matches!(their, Piece::Many(_)) {
                    set(next, place);
                }
            }
            if matches!(their, Piece::Many(_)) && is_set(next, place) {
                set(next, place + 1);
            }
        }
        std::mem::swap(&mut reached, &mut next);
    }
    is_set(reached, theirs.len())
}

/// A gap may be empty.
fn skip_gaps(pieces: &[Piece], reached: &mut [bool]) {
    for (place, piece) in pieces.iter().enumerate() {
        if matches!(piece, Piece::Many(_)) && is_set(reached, place) {
            set(reached, place + 1);
        }
    }
}

/// Whether one character can be in both pieces.
fn overlap(left: Piece, right: Piece) -> bool {
    match (left, right) {
        (Piece::Character(left), Piece::Character(right)) => left == right,
        (Piece::Character('/'), Piece::One(slash) | Piece::Many(slash))
        | (Piece::One(slash) | Piece::Many(slash), Piece::Character('/')) => slash,
        _ => true,
    }
}

fn set(places: &mut [bool], place: usize) {
    if let Some(flag) = places.get_mut(place) {
        *flag = true;
    }
}

fn is_set(places: &[bool], place: usize) -> bool {
    places.get(place).copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, template: &str, slash: bool, expect: bool) {
        let pattern_form = Form::of_pattern(pattern);
        let template_form = Form::of_template(template, slash);
        assert_eq!(
            pattern_form.meets(&template_form),
            expect,
            "{pattern} {template}"
        );
        assert_eq!(
            template_form.meets(&pattern_form),
            expect,
            "{template} {pattern}"
        );
        // What is skipped at the beginning and at the end changes nothing.
        assert_eq!(meet(&pattern_form.0, &template_form.0), expect);
        let long = "a".repeat(2 * FEW);
        let around = ["", "a", "arn:aws:", "*", "${X}", &long];
        let around = around
            .iter()
            .flat_map(|left| around.map(|right| (*left, right)));
        for (before, after) in around {
            let pattern = format!("{before}{pattern}{after}");
            let template = format!("{before}{template}{after}");
            let forms = (
                Form::of_pattern(&pattern),
                Form::of_template(&template, slash),
            );
            let (pattern, template) = forms;
            assert_eq!(
                pattern.meets(&template),
                meet(&pattern.0, &template.0),
                "{pattern:?} {template:?}"
            );
        }
    }

    #[test]
    fn patterns_and_templates() {
        check("abc", "${Name}", true, true);
        check("", "${Name}", true, false);
        check("*", "${Name}", true, true);
        check("bucket", "${Bucket}/${Key}", true, false);
        check("bucket*", "${Bucket}/${Key}", true, true);
        check("bucket/*", "${Bucket}", false, false);
        check("bucket/*", "${Bucket}", true, true);
        check("bucket*", "${Bucket}", false, true);
        check("role/a/b", "role/${Role}", true, true);
        check("roles/a", "role/${Role}", true, false);
        check("*sagemaker*", "${Repository}", true, true);
        check(
            "table/t?/index/*",
            "table/${Table}/index/${Index}",
            true,
            true,
        );
        check("${aws:username}/x", "${Bucket}/${Key}", true, true);
        check("<BUCKET>", "${Bucket}", false, true);
        check("a${*}b", "a${X}b", true, true);
        check("cert:", "cert:*", true, true);
        check("*a*b", "${X}c${Y}", true, true);
        check("a*c", "b${X}", true, false);
    }
}
