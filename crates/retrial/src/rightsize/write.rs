//! The folder that proposals are written to.

use std::path::Path;
use std::{fs, io};

use super::current::Current;
use super::{Case, Subject, certificate, markdown, steps, terraform, trial};
use crate::error::ProgramError;

/// Whether a folder can be written to: what stands in it already could be taken for part of the answer.
pub(crate) fn check(to: &Path) -> Result<(), ProgramError> {
    let path = to.display().to_string();
    match fs::read_dir(to).map(|entries| entries.count()) {
        Ok(0) => Ok(()),
        Ok(_) => Err(ProgramError::FolderNotEmpty { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(ProgramError::Folder { path, cause }),
    }
}

/// Writes everything.
pub(crate) fn all(
    to: &Path,
    cases: &[Case<'_>],
    subject: &Subject<'_>,
    current: &Current,
) -> Result<(), ProgramError> {
    let failed = |cause| ProgramError::Folder {
        path: to.display().to_string(),
        cause,
    };
    fs::create_dir_all(to).map_err(failed)?;
    put(&to.join("summary.md"), &markdown::summary(cases, subject)).map_err(failed)?;
    for case in cases {
        one(&to.join(&case.named.folder), (case, subject), current).map_err(failed)?;
    }
    Ok(())
}

fn one(
    folder: &Path,
    (case, subject): (&Case<'_>, &Subject<'_>),
    current: &Current,
) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let steps = steps::steps(&case.named, current);
    let certificate = certificate::page(case, subject, steps.is_some());
    put(&folder.join("certificate.md"), &certificate)?;
    // What would break calls is not for use.
    if !case.whole.is_clean() {
        return Ok(());
    }
    for document in &case.named.documents {
        if let Some((file, text)) = &document.written {
            put(&folder.join(file), text)?;
        }
    }
    let change = trial::change(&[&case.named], current);
    put(&folder.join("change.json"), &format!("{change:#}\n"))?;
    put(
        &folder.join("policies.tf"),
        &terraform::file(&case.named, current),
    )?;
    if let Some(steps) = steps {
        put(&folder.join("apply.sh"), &steps.apply)?;
        put(&folder.join("rollback.sh"), &steps.rollback)?;
        for (name, text) in &steps.before {
            put(&folder.join(name), text)?;
        }
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    fs::write(path, text)
}
