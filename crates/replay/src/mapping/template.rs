//! ARN templates: `arn:${Partition}:sagemaker:${Region}:${Account}:model/${ModelName}`.

use bumpalo::collections::String as BumpString;

use super::view::View;

/// An ARN template, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    variables: Vec<Box<str>>,
}

#[derive(Debug, Clone)]
enum Piece {
    Text(Box<str>),
    Partition,
    Region,
    Account,
    /// The index of one of the resource's own variables.
    Variable(usize),
}

impl Template {
    /// Reads a template; an unclosed `${` stays text.
    pub(super) fn parse(text: &str) -> Self {
        let mut template = Self {
            pieces: Vec::new(),
            variables: Vec::new(),
        };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let Some((name, tail)) = after.split_once('}') else {
                break;
            };
            template.text(before);
            template.pieces.push(match name {
                "Partition" => Piece::Partition,
                "Region" => Piece::Region,
                "Account" => Piece::Account,
                _ => {
                    template.variables.push(name.into());
                    Piece::Variable(template.variables.len() - 1)
                }
            });
            rest = tail;
        }
        template.text(rest);
        template
    }

    /// Reads the catalogue's template; where it lists several (`a, b`), what they have in common,
    /// with one variable that nothing fills for the rest.
    pub(super) fn parse_first(text: &str) -> Self {
        let mut forms = text.split(", ");
        let first = forms.next().unwrap_or_default();
        let mut common = first;
        for form in forms {
            let same = common
                .bytes()
                .zip(form.bytes())
                .take_while(|(left, right)| left == right)
                .count();
            common = common
                .get(..same)
                .and_then(|same| same.rfind(['/', ':']).and_then(|end| same.get(..=end)))
                .unwrap_or_default();
        }
        if common.len() == first.len() {
            return Self::parse(text);
        }
        Self::parse(&format!("{common}${{AnyOf}}"))
    }

    /// As a data file writes it.
    pub(super) fn to_text(&self) -> String {
        let text = |piece: &Piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Partition => "${Partition}".to_owned(),
            Piece::Region => "${Region}".to_owned(),
            Piece::Account => "${Account}".to_owned(),
            Piece::Variable(index) => {
                let name = self.variables.get(*index);
                format!("${{{}}}", name.map_or("", |name| name))
            }
        };
        self.pieces.iter().map(text).collect()
    }

    fn text(&mut self, text: &str) {
        if !text.is_empty() {
            self.pieces.push(Piece::Text(text.into()));
        }
    }

    /// The same with `*` in place of the resource's own variables.
    pub(super) fn with_stars(&self) -> Self {
        let star = |piece: &Piece| match piece {
            Piece::Variable(_) => Piece::Text("*".into()),
            other => other.clone(),
        };
        Self {
            pieces: self.pieces.iter().map(star).collect(),
            variables: Vec::new(),
        }
    }

    /// The form of what it makes, with `*` for all that is not in the text.
    pub(super) fn form(&self) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.to_string(),
            Piece::Partition => "aws".to_owned(),
            _ => "*".to_owned(),
        };
        self.pieces.iter().map(piece).collect()
    }

    /// The names of the resource's own variables, in order.
    pub(super) fn variables(&self) -> &[Box<str>] {
        &self.variables
    }

    /// Whether the ARN carries an account.
    pub(super) fn has_account(&self) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Account))
    }

    /// The ARN with these values; a value that is `None`, or missing, becomes `*`.
    pub(super) fn fill<'a>(
        &self,
        view: &View<'a, '_>,
        account: &str,
        values: &[Option<&str>],
    ) -> &'a str {
        let mut arn = BumpString::new_in(view.arena);
        let known = |text: &str, arn: &mut BumpString<'_>| {
            arn.push_str(if text.is_empty() { "*" } else { text })
        };
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => arn.push_str(text),
                Piece::Partition => known(view.facts.partition, &mut arn),
                Piece::Region => known(view.facts.region, &mut arn),
                Piece::Account => known(account, &mut arn),
                Piece::Variable(index) => {
                    arn.push_str(values.get(*index).copied().flatten().unwrap_or("*"))
                }
            }
        }
        arn.into_bump_str()
    }
}

/// The account in an ARN.
pub(super) fn account_of(arn: &str) -> Option<&str> {
    crate::account_of_arn(arn).filter(|account| !account.is_empty() && *account != "*")
}

/// The fields that may fill a variable: its name, or a list of names; in Amazon EC2 at any depth, and
/// in newer requests with a capital letter.
pub(super) fn fields_of(variable: &str, nested: bool) -> Vec<String> {
    let field = field_of(variable);
    if nested {
        vec![
            format!("**.{field}"),
            format!("**.{variable}"),
            format!("**.{variable}s"),
        ]
    } else {
        let list = format!("{field}s");
        vec![field, list]
    }
}

/// A variable as `requestParameters` spells it: only its first letter is lowered
/// (`MLModelId` becomes `mLModelId`).
fn field_of(variable: &str) -> String {
    let mut letters = variable.chars();
    letters
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(letters)
        .collect()
}
