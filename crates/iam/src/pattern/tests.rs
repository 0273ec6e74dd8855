use super::*;
use crate::{Catalogue, Context, MissingKeys};

fn tested(pattern: &str, text: Text<'_>) -> Truth {
    let mut context = Context::new(MissingKeys::Absent);
    context.set("aws:username", KeyState::Known(Values::One("bob*")));
    context.set("aws:TagKeys", KeyState::Known(Values::Many(&["a"])));
    context.set("aws:SourceVpc", KeyState::Unknown);
    let keys = Keys {
        context: &context,
        catalogue: Catalogue::bundled(),
        action: "example:Do",
    };
    let syntax = Syntax {
        wildcards: true,
        variables: true,
    };
    Pattern::parse(pattern, syntax).test(text, &keys)
}

#[track_caller]
fn check(pattern: &str, text: &str, expect: Truth) {
    let found = tested(pattern, Text::Exact(text));
    assert_eq!(found, expect, "{pattern} on {text}");
}

#[test]
fn wildcards() {
    check("", "", Truth::True);
    check("", "a", Truth::False);
    check("a*b", "a\nb", Truth::True);
    check("a*b*c", "abbc", Truth::True);
    check("a*b*c", "acb", Truth::False);
    check("ab*ba", "aba", Truth::False);
    check("?", "é", Truth::True);
    check("*?", "", Truth::False);
}

#[test]
fn escapes_are_literal() {
    check("${*}", "*", Truth::True);
    check("${*}", "a", Truth::False);
    check("${?}${$}{x}", "?${x}", Truth::True);
}

#[test]
fn variables_are_literal_text() {
    check("home/${aws:username}/*", "home/bob*/x", Truth::True);
    check("home/${AWS:UserName}/*", "home/bobby/x", Truth::False);
    check("${ aws:none , 'x y' }", "x y", Truth::True);
    check("${aws:none,'*'}", "a", Truth::False);
}

#[test]
fn variables_without_one_value_match_nothing() {
    check("${aws:none}", "", Truth::False);
    check("*${aws:TagKeys}", "a", Truth::False);
}

#[test]
fn unknown_variables_match_where_some_value_does() {
    check("x/${aws:SourceVpc}", "x/vpc-1", Truth::Unknown);
    check("x/${aws:SourceVpc}", "y/vpc-1", Truth::False);
    check("${aws:SourceVpc}/x", "vpc-1/y", Truth::False);
    check("${aws:SourceVpc, 'd'}", "d", Truth::Unknown);
}

#[test]
fn what_is_not_closed_is_literal() {
    check("${aws:username", "${aws:username", Truth::True);
    check("$x}", "$x}", Truth::True);
}

#[test]
fn many_stars_take_no_exponential_time() {
    let pattern = "*a".repeat(500);
    check(&format!("{pattern}b"), &"a".repeat(2000), Truth::False);
}

/// All texts of so many of these letters at most.
fn texts(letters: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        let longer = last
            .iter()
            .flat_map(|text| letters.iter().map(move |letter| format!("{text}{letter}")));
        last = longer.collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// Whether some text in place of each hole matches, found by trying.
fn some_text_matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', atoms @ ..], _) if some_text_matches(atoms, text) => true,
        (_, [b'*', letters @ ..]) if some_text_matches(pattern, letters) => true,
        // Either stands for a letter of the other's, and goes on.
        ([b'*', ..], [_, letters @ ..]) => some_text_matches(pattern, letters),
        ([_, atoms @ ..], [b'*', ..]) => some_text_matches(atoms, text),
        ([atom, atoms @ ..], [letter, letters @ ..]) => {
            (*atom == b'?' || atom == letter) && some_text_matches(atoms, letters)
        }
        _ => false,
    }
}

#[track_caller]
fn check_holes(pattern: &str, text: &str, expect: bool) {
    let found = tested(pattern, Text::Holes(text));
    assert_eq!(found != Truth::False, expect, "{pattern} on {text}");
}

#[test]
fn texts_with_holes_match_where_some_text_does() {
    // Offsets are kept 64 to a word.
    let long = "x".repeat(62);
    for pattern in texts(&['a', 'b', '*', '?'], 4) {
        for text in texts(&['a', 'b', '*'], 4) {
            let expect = some_text_matches(pattern.as_bytes(), text.as_bytes());
            for before in ["", &long] {
                check_holes(
                    &format!("{before}{pattern}"),
                    &format!("{before}{text}"),
                    expect,
                );
            }
        }
    }
}

#[test]
fn many_holes_take_no_quadratic_time() {
    let pattern = "ab".repeat(1000);
    check_holes(&pattern, &"*".repeat(2000), true);
    check_holes(&pattern, &format!("{}c", "*".repeat(2000)), false);
    check_holes(&format!("*{pattern}"), &"*a*".repeat(600), true);
}
