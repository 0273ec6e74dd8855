//! What a run took: one log line at its end, however it ended.

use std::time::Instant;

use retrial_pipeline::Progress;
use rustix::time::{ClockId, clock_gettime};
use tracing::info;

/// A run's beginning.
pub(crate) struct Metrics {
    begun: Instant,
}

impl Metrics {
    pub(crate) fn begin() -> Self {
        Self {
            begun: Instant::now(),
        }
    }

    /// Logs what was read and what it took; the rows are those of the files that were committed, where the
    /// run came to its end.
    pub(crate) fn end(self, progress: &Progress, rows: Option<u64>) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let records = progress.records_read();
        let per_second = if seconds > 0.0 {
            records as f64 / seconds
        } else {
            0.0
        };
        info!(
            finished = rows.is_some(),
            records,
            files = progress.files(),
            bytes = progress.bytes(),
            rows,
            seconds = thousandths(seconds),
            cpu_seconds = thousandths(cpu_seconds()),
            peak_memory_bytes = peak_memory(),
            records_per_second = per_second.round(),
            "metrics"
        );
    }
}

fn thousandths(seconds: f64) -> f64 {
    (seconds * 1e3).round() / 1e3
}

/// What all threads of the process have worked.
fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The most memory that the process has had (`VmHWM`); known on Linux only.
/// <https://docs.kernel.org/filesystems/proc.html>
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}
