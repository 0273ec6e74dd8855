//! temporary
use std::path::Path;
use std::time::Instant;
use retrial_iam::*;
use serde_json::Value;
use crate::support::{nothing_collected, principal};

#[test]
fn rate() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/bench.realistic.jsonl");
    let Ok(text) = std::fs::read_to_string(path) else { return };
    let snapshot = nothing_collected();
    let vectors: Vec<Value> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let start = Instant::now();
    let principals: Vec<Principal> = vectors.iter().map(|v| {
        let docs: Vec<String> = v["identity_policies"].as_array().unwrap().iter().map(|d| d.to_string()).collect();
        let docs: Vec<&str> = docs.iter().map(|d| d.as_str()).collect();
        let b = v.get("permission_boundary").map(|d| d[0].to_string());
        principal("arn:aws:iam::111111111111:role/team/ds-role", &docs, b.as_deref())
    }).collect();
    eprintln!("compiled {} principals in {:?}", principals.len(), start.elapsed());
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let mut scratch = Scratch::default();
    let mut counts = [0usize; 4];
    let rounds = 500;
    let contexts: Vec<Context> = vectors.iter().map(|v| {
        let mut c = Context::new(MissingKeys::ByCatalogue);
        for (k, val) in v["request"]["context"].as_object().unwrap() { if let Some(s) = val.as_str() { c.set(k, KeyState::Known(Values::One(s))); } }
        c
    }).collect();
    for warm in [1, rounds] {
    let start = Instant::now();
    for _ in 0..warm {
        for ((v, p), c) in vectors.iter().zip(&principals).zip(&contexts) {
            let r = &v["request"];
            let arn = r["resource"]["arn"].as_str().unwrap();
            let req = Request { action: r["action"].as_str().unwrap(), resource: if arn == "*" { Resource::Any } else { Resource::Arn(arn) }, resource_account: r["resource"]["account"].as_str(), context: c, vpc_endpoint: None, session: SessionPolicies::Unknown };
            let e = evaluator.evaluate(p, &req, &mut scratch);
            counts[e.decision as usize] += 1;
        }
    }
    let t = start.elapsed();
    eprintln!("{:?} each, {counts:?}", t / (warm as u32 * 200));
    }
}
