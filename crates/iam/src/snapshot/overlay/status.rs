//! Layers that were not collected stay so, but for the entries that a change gives.
//!
//! A file that the snapshot does not have says that its layer was collected; where a change brings the
//! first file of a layer, an entry of `snapshot.json` takes that back.

use serde_json::json;
use serde_json::value::RawValue;

use super::super::json::{Entries, read_one, text_of};
use super::super::status::{Part, Status, StatusFile, StatusLayer, Statuses};
use super::entries::object;
use crate::SnapshotFile;

/// The layer of a file that the snapshot does not have.
#[derive(Debug, Clone)]
pub(super) struct NewLayer {
    pub(super) account: String,
    pub(super) layer: StatusLayer,
    pub(super) service: String,
}

/// `snapshot.json` with what the new files do not say; `None` where nothing is to be taken back, or the
/// snapshot's own cannot be read.
pub(super) fn with_layers(base: Option<&SnapshotFile<'_>>, new: &[NewLayer]) -> Option<String> {
    let text = base.map(|base| text_of(base.bytes)).transpose().ok()?;
    let members: Entries<'_, &RawValue> = read_one(text.unwrap_or("{}")).ok()?;
    let file: StatusFile = read_one(text.unwrap_or("{}")).ok()?;
    let (statuses, _) = Statuses::from_file(file);
    let mut added = Vec::new();
    for layer in new {
        added.extend(entries(&statuses, layer));
    }
    if added.is_empty() {
        return None;
    }
    let mut layers: Vec<String> = Vec::new();
    for (name, raw) in &members.0 {
        if name == "layers" {
            let raw: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
            layers.extend(raw.into_iter().map(|raw| raw.get().to_owned()));
        }
    }
    layers.extend(added);
    let layers = format!("[{}]", layers.join(",\n"));
    let others = members.0.iter().filter(|(name, _)| name != "layers");
    let others = others.map(|(name, raw)| (&**name, raw.get()));
    Some(object(others.chain([("layers", layers.as_str())])))
}

/// What holds of a layer without a file, said in entries: nothing where one says it already.
fn entries(statuses: &Statuses, new: &NewLayer) -> Vec<String> {
    let of = |region: &str| {
        statuses.of(Part {
            account: &new.account,
            layer: new.layer,
            service: &new.service,
            region,
        })
    };
    let line = |region: &str, status: Status| {
        json!({
            "account": new.account, "layer": new.layer.name(), "service": new.service,
            "region": region, "status": status.name(),
        })
        .to_string()
    };
    // No Region has this name: what is said of it is said of all that no entry names.
    const ANY_OTHER: &str = "-";
    if of(ANY_OTHER).is_some() {
        return Vec::new();
    }
    let regions = statuses.regions(new.layer);
    let named = regions
        .into_iter()
        .filter_map(|region| Some(line(region, of(region)?)));
    named.chain([line("*", Status::Partial)]).collect()
}
