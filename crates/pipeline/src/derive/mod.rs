//! What is derived for the whole window under the snapshot of now: the tables in `as_of` folders.
//!
//! Nothing here is a sum of old verdicts. The calls of the window are read from the committed `decisions`
//! (as [`crate::replay()`] does), each is seen as today's policies decide it, and what is gathered becomes
//! rows. Where a file of `decisions` stands on this very snapshot, what is stored in it is what would be found
//! again, and is taken from there without the context that a new decision needs.
//!
//! The tables of one date are replaced as a whole, in one swap of the manifest. Their files are named by a
//! hash of their content: where nothing has changed, nothing is written.
//!
//! # Memory
//! What [`retrial_replay::Gather`]ers keep, once for each part that is worked at the same time; of `coverage` and
//! `changes` what counts for the age and the visibility of permissions.

mod facts;
mod findings;
mod pass;
mod rightsize;
mod role_needs;
mod stored;
mod write;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use bumpalo::Bump;
use retrial_cloudtrail::{Day, Timestamp};
use retrial_replay::{
    Assumptions, EVALUATOR_VERSION, Escalations, FindingBasis, FindingEvidence, FindingReport,
    Gather, MIN_WINDOW_DAYS, Occasion, Permission, PermissionEvidence, PermissionGround,
    PermissionInputs, PermissionOptions, PermissionState, PermissionUses, Replayer, SeenCall,
    Trails, permissions,
};
use retrial_storage::{Store, complete_all};
use retrial_tables::{ActionSetRow, ActionSets, Decisions, PermissionRow, Permissions, Table};

use crate::analyze::PipelineError;
use crate::filter::Filter;
use crate::manifest::{Manifest, ManifestFile, fenced};
use crate::output::{Basis, Output};
use crate::plan::parse_delivery_date;
use crate::scratch::Scratch;
pub use findings::FindingOptions;
pub use rightsize::{Rightsize, Rightsized, RightsizingWindow, rightsize};
use write::{AsOfFile, AsOfWriter, KeptTexts};

/// What is asked of a derivation.
#[derive(Debug, Clone)]
pub struct DeriveOptions {
    /// The day that counts as today, whose calls are the last ones of the window; by default the newest event
    /// date.
    pub as_of: Option<Day>,
    /// [`MIN_WINDOW_DAYS`]
    pub min_window_days: u64,
    /// Regions without log files count as observed.
    pub assume_multi_region: bool,
    /// What findings go by.
    pub findings: FindingOptions,
}

impl Default for DeriveOptions {
    fn default() -> Self {
        Self {
            as_of: None,
            min_window_days: MIN_WINDOW_DAYS,
            assume_multi_region: false,
            findings: FindingOptions::default(),
        }
    }
}

/// Everything that a derivation goes by.
pub struct Derive<'s> {
    /// Decides, under the snapshot of now.
    pub replayer: Replayer<'s>,
    /// Names the mapping.
    pub mapping_version: &'s str,
    /// What is asked.
    pub options: DeriveOptions,
    /// How many threads work; never changes the output.
    pub threads: usize,
    /// A local folder for what is too large for memory.
    pub scratch: &'s Path,
    /// Once it is set, the derivation ends soon with [`PipelineError::Stopped`].
    pub stop: Option<&'s AtomicBool>,
}

/// What was derived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Derived {
    /// The day that counts as today; `None` where the output has no dated call, and nothing was derived.
    pub as_of: Option<String>,
    /// How many actions are allowed in each state, over principals, policies and statements.
    pub permissions: BTreeMap<PermissionState, u64>,
    /// All findings, in the order of reports.
    pub findings: FindingReport,
    /// Rows by table, of those that are not as they were already.
    pub rows: BTreeMap<&'static str, u64>,
}

/// Derives the tables of an output, alone.
///
/// # Errors
/// Where the output cannot be read or written, or another writer took it over.
pub fn derive(derive: &Derive<'_>, store: &dyn Store) -> Result<Derived, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(derive.threads)
        .build()?;
    let scratch = Scratch::new(derive.scratch)?;
    let claim = || {
        let output = Output::claim_existing(store)?;
        output.clean()?;
        Ok::<_, PipelineError>(output)
    };
    pool.install(|| {
        let (output, ground) = rayon::join(claim, || ground_of(derive.replayer));
        work(derive, &mut output?, &scratch, ground)
    })
}

/// What permissions stand on beside the calls.
pub(crate) fn ground_of(replayer: Replayer<'_>) -> PermissionGround<'_> {
    PermissionGround::of(
        replayer.snapshot(),
        replayer.mapping(),
        replayer.catalogue(),
    )
}

/// Derives the tables of an output that is claimed; in the pool that it is called in.
pub(crate) fn work<'s>(
    derive: &Derive<'s>,
    output: &mut Output<'_>,
    scratch: &Scratch,
    ground: PermissionGround<'s>,
) -> Result<Derived, PipelineError> {
    let files = output.files().to_vec();
    let Some(window) = AsOf::of(derive.options.as_of, &files) else {
        return Ok(Derived::default());
    };
    let source = pass::Source {
        derive,
        store: output.store(),
        files: &files,
        window: &window,
    };
    let options = &derive.options;
    let filter = output.header().filter.as_deref().unwrap_or_default();
    let filtered = Filter::leaves_out_calls(filter);
    let snapshot = derive.replayer.snapshot();
    let changes = findings::recorded_changes(&source, options.findings.snapshot_time)?;
    let looked_up = FindingBasis {
        snapshot,
        changes: &changes,
    };
    let new = || Evidence {
        permissions: PermissionUses::new(snapshot),
        findings: FindingEvidence::new(looked_up),
    };
    let (trails, _) = Trails::of(snapshot);
    let catalogue = derive.replayer.catalogue();
    let of_calls = || {
        let evidence = source.gather(stored::COLUMNS_OF_EVIDENCE, new)?;
        let (covered, writes) = facts::read(&source)?;
        let inputs = PermissionInputs {
            snapshot,
            catalogue,
            uses: &evidence.permissions,
            covered: &covered,
            writes: &writes,
            trails: &trails,
            ground: &ground,
            options: PermissionOptions {
                min_window_days: derive.options.min_window_days,
                assume_multi_region: derive.options.assume_multi_region,
                filtered,
                now: window.end,
            },
        };
        let permissions = write_permissions(&inputs, scratch)?;
        Ok::<_, PipelineError>((evidence, covered, permissions))
    };
    // Escalations are of the snapshot alone. What roles need holds much, and so do permissions: they come
    // one after the other.
    let (of_calls, escalations) = rayon::join(of_calls, || Escalations::of(snapshot, catalogue));
    let (evidence, covered, permissions) = of_calls?;
    let Evidence {
        permissions: uses,
        findings: evidence,
    } = evidence;
    let (file, needs) = role_needs::write(&source, &uses, scratch)?;
    drop(uses);
    let mut finished = permissions.files;
    finished.push(file);
    let findings = retrial_replay::findings(
        &evidence,
        &permissions.seen,
        &Occasion {
            snapshot,
            catalogue,
            changes: &changes,
            as_of: window.end,
            min_window_days: options.min_window_days,
            owner_tags: &options.findings.owner_tags,
            dead_statements: &options.findings.dead_statements,
            escalations: &escalations,
            role_needs: &needs,
            exclusions: &options.findings.exclusions,
            covered: &covered,
            trails: &trails,
            filtered,
        },
    );
    drop((evidence, needs, escalations));
    let file = findings::write(&findings, snapshot.id(), scratch)?;
    finished.push(file);
    let basis = Basis {
        snapshot_id: snapshot.id(),
        mapping_version: derive.mapping_version,
        strict: derive.replayer.assumptions() == Assumptions::Refused,
    };
    Ok(Derived {
        as_of: Some(window.date.clone()),
        permissions: permissions.states,
        findings,
        rows: commit((output, scratch), finished, (&window, basis))?,
    })
}

/// What is gathered from the calls.
struct Evidence<'s> {
    permissions: PermissionUses<'s>,
    findings: FindingEvidence<'s>,
}

impl Gather for Evidence<'_> {
    fn see(&mut self, call: &SeenCall<'_>) {
        self.permissions.see(call);
        self.findings.see(call);
    }

    fn merge(&mut self, later: Self) {
        self.permissions.merge(later.permissions);
        self.findings.merge(later.findings);
    }
}

/// The permissions, written, and what they say.
struct WrittenPermissions {
    files: Vec<AsOfFile>,
    states: BTreeMap<PermissionState, u64>,
    seen: PermissionEvidence,
}

fn write_permissions(
    inputs: &PermissionInputs<'_, '_>,
    scratch: &Scratch,
) -> Result<WrittenPermissions, PipelineError> {
    let mut states: BTreeMap<PermissionState, u64> = BTreeMap::new();
    let mut seen = PermissionEvidence::default();
    let arena = Bump::new();
    let mut texts = KeptTexts::new(&arena);
    let mut rows = AsOfWriter::<Permissions>::new(scratch)?;
    let mut sets = AsOfWriter::<ActionSets>::new(scratch)?;
    permissions(
        inputs,
        &mut |permission| {
            *states.entry(permission.state).or_default() += permission.actions;
            seen.see(permission, inputs.catalogue);
            rows.add(permission_row(permission, &mut texts))
        },
        &mut |(name, actions)| {
            let name = arena.alloc_str(name);
            for action in actions {
                sets.add(ActionSetRow {
                    action_set: name,
                    action: action.full_name,
                    access_level: action.access_level.name(),
                })?;
            }
            Ok(())
        },
    )?;
    let (rows, sets) = rayon::join(|| rows.finish(), || sets.finish());
    Ok(WrittenPermissions {
        files: vec![rows?, sets?],
        states,
        seen,
    })
}

fn permission_row<'b>(permission: &Permission<'_>, texts: &mut KeptTexts<'b>) -> PermissionRow<'b> {
    let mut option = |text: Option<&str>| text.map(|text| texts.keep(text));
    let (group_arn, sid) = (option(permission.group_arn), option(permission.sid));
    let (service, action) = (option(permission.service), option(permission.action));
    let action_set = option(permission.action_set);
    PermissionRow {
        account_id: texts.keep(permission.account_id),
        principal_arn: texts.keep(permission.principal_arn),
        principal_type: permission.principal_type,
        policy: texts.keep(permission.policy),
        attachment: permission.attachment,
        group_arn,
        statement_index: permission.statement_index.map(u64::from),
        sid,
        service,
        action,
        actions: permission.actions,
        action_set,
        state: permission.state.name(),
        reason: permission.reason.map(|reason| reason.name()),
        calls: permission.calls,
        first_time: permission.first_time,
        last_time: permission.last_time,
        days: permission.days,
        window_begin: permission.window_begin,
        window_end: permission.window_end,
        window_days: permission.window_days,
    }
}

/// The day that counts as today.
struct AsOf {
    /// `2026-11-08`
    date: String,
    /// Its end, in microseconds since the epoch.
    end: i64,
}

impl AsOf {
    fn of(asked: Option<Day>, files: &[ManifestFile]) -> Option<AsOf> {
        let newest = || {
            let decisions = files.iter().filter(|file| file.table == Decisions::NAME);
            decisions
                .filter_map(|file| parse_delivery_date(&file.event_date).flatten())
                .max()
        };
        let day = asked.or_else(newest)?;
        Some(AsOf {
            date: day.to_string(),
            end: day.begin().micros() + super::replay::MICROS_PER_DAY,
        })
    }

    /// Whether something of this time belongs to the window; what has no time does.
    fn has(&self, time: Option<i64>) -> bool {
        time.is_none_or(|time| time < self.end)
    }

    /// Whether the folder of a date can hold such things.
    fn has_date(&self, date: &str) -> bool {
        let begin = Timestamp::parse(&format!("{date}T00:00:00Z"));
        begin.is_none_or(|begin| begin.micros() < self.end)
    }
}

/// What is derived comes from all batches, however many there were: it is listed as of none of them.
const OF_NO_BATCH: u64 = 0;

/// Puts the files of a date in the place of those that were there; gives the rows of those that are new.
fn commit(
    (output, scratch): (&mut Output<'_>, &Scratch),
    finished: Vec<AsOfFile>,
    (window, basis): (&AsOf, Basis<'_>),
) -> Result<BTreeMap<&'static str, u64>, PipelineError> {
    let tables: Vec<&str> = finished.iter().map(|file| file.table).collect();
    let is_replaced = |file: &ManifestFile| {
        tables.contains(&file.table.as_str()) && file.event_date == window.date
    };
    let before: Vec<ManifestFile> = output
        .files()
        .iter()
        .filter(|file| is_replaced(file))
        .cloned()
        .collect();
    let mut listed = Vec::new();
    let mut rows = BTreeMap::new();
    let mut uploads = Vec::new();
    for mut file in finished {
        let table = file.table;
        let key = file.key(&window.date);
        if !before.iter().any(|known| known.key == key) {
            uploads.push(file.upload(scratch, output.store(), &key)?);
        }
        let file = ManifestFile {
            table: file.table.to_owned(),
            event_date: window.date.clone(),
            delivery_date: window.date.clone(),
            batch: OF_NO_BATCH,
            tail: false,
            key,
            rows: file.rows,
            bytes: file.bytes,
            snapshot_ids: vec![basis.snapshot_id.to_owned()],
            mapping_versions: vec![basis.mapping_version.to_owned()],
            evaluator_versions: vec![EVALUATOR_VERSION.to_owned()],
            supersedes: Vec::new(),
            strict: basis.strict,
        };
        if !before.contains(&file) {
            rows.insert(table, file.rows);
        }
        listed.push(file);
    }
    for completed in complete_all(uploads) {
        completed.map_err(|error| fenced(output.store(), error))?;
    }
    if before == listed {
        return Ok(rows);
    }
    output.change(|Manifest { files, .. }| {
        files.retain(|file| !is_replaced(file));
        files.extend(listed);
    })?;
    Ok(rows)
}
