//! What can be wrong with a mapping data file, and where.

use std::ops::Range;

/// A mapping data file that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct MappingError {
    file: &'static str,
    line: usize,
    problem: MappingProblem,
}

/// What is wrong in a line of a mapping data file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum MappingProblem {
    /// Not the form, or not TOML.
    #[error("{message}")]
    Syntax {
        /// what the TOML reader says
        message: String,
    },
    /// The catalogue has no such service.
    #[error("no service `{service}` in the catalogue")]
    UnknownService {
        /// its IAM prefix
        service: String,
    },
    /// The catalogue has no such action.
    #[error("no action `{action}` in the catalogue")]
    UnknownAction {
        /// its full name
        action: String,
    },
    /// `newer` lists what the catalogue has by now.
    #[error("the catalogue has the action `{action}` by now")]
    NotNewer {
        /// its full name
        action: String,
    },
    /// The catalogue has no such resource type.
    #[error("no resource type `{kind}` of `{service}` in the catalogue")]
    UnknownType {
        /// the service's IAM prefix
        service: String,
        /// the type
        kind: String,
    },
    /// The file has no such resource, and the catalogue no such type.
    #[error("no resource `{resource}` in this file or the catalogue")]
    UnknownResource {
        /// its name
        resource: String,
    },
    /// The catalogue does not list the type for the action, and no `excused` says why.
    #[error("`{action}` does not take a resource of type `{kind}`")]
    TypeNotTaken {
        /// the action
        action: String,
        /// the type
        kind: String,
    },
    /// The ARN template has no such variable.
    #[error("the ARN of `{resource}` has no variable `{variable}`")]
    UnknownVariable {
        /// the resource
        resource: String,
        /// the variable
        variable: String,
    },
    /// The catalogue has no such condition key.
    #[error("no condition key `{key}` in the catalogue")]
    UnknownKey {
        /// the key
        key: String,
    },
    /// A file that names no AWS page.
    #[error("`pages` names no page")]
    NoPages,
    /// A place in a record that has not the form of one.
    #[error("`{path}` is no place in a record")]
    Path {
        /// the text
        path: String,
    },
    /// A condition that has not the form of one.
    #[error("`{condition}` is no condition")]
    Condition {
        /// the text
        condition: String,
    },
    /// A key's rule that says nothing, or two things.
    #[error("the key `{key}` needs exactly one source of its values")]
    KeySource {
        /// the key
        key: String,
    },
    /// A job uses rows that the file does not have.
    #[error("no rows `{rows}` in this file")]
    UnknownRows {
        /// their name
        rows: String,
    },
    /// A job that says not, or twice, whose permissions it needs.
    #[error("a job needs either `role`, or `principal`, or `of` alone")]
    RunsAs,
    /// An event that has two rows.
    #[error("the event `{event}` occurs twice")]
    EventTwice {
        /// the event
        event: String,
    },
}

/// A file's text, for errors that say where.
#[derive(Clone, Copy)]
pub(super) struct Source {
    pub(super) file: &'static str,
    pub(super) text: &'static str,
}

impl Source {
    /// An error in the line where `span` begins.
    pub(super) fn error(&self, span: &Range<usize>, problem: MappingProblem) -> MappingError {
        let before = self.text.as_bytes().iter().take(span.start);
        MappingError {
            file: self.file,
            line: before.filter(|byte| **byte == b'\n').count() + 1,
            problem,
        }
    }

    /// Reads the file's form.
    pub(super) fn read<T: serde::de::DeserializeOwned>(&self) -> Result<T, MappingError> {
        toml::from_str(self.text).map_err(|error| {
            let message = error.message().replace('\n', " ");
            self.error(
                &error.span().unwrap_or_default(),
                MappingProblem::Syntax { message },
            )
        })
    }
}
