//! A progress bar, on a terminal only.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use retrial_pipeline::Progress;

/// How often the bar looks at the run.
const LOOK: Duration = Duration::from_millis(120);

/// Cut to the terminal's width at its end, where the least important stands.
const TEMPLATE: &str = "{bar:20} {bytes}/{total_bytes}, {eta} left  {wide_msg}";

/// Draws until dropped.
pub(crate) struct Bar {
    stop: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Bar {
    /// Starts drawing, where standard error is a terminal and nobody asked for quiet.
    pub(crate) fn start(progress: &Arc<Progress>, quiet: bool) -> Bar {
        if quiet || !std::io::stderr().is_terminal() {
            return Bar { stop: None };
        }
        let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        let progress = Arc::clone(progress);
        let (sender, receiver) = mpsc::channel::<()>();
        let drawing = thread::spawn(move || {
            while receiver.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout) {
                let per_second =
                    progress.records_read() as f64 / bar.elapsed().as_secs_f64().max(0.001);
                // Days are planned one at a time.
                bar.set_length(progress.planned_bytes());
                bar.set_position(progress.bytes());
                bar.set_message(format!(
                    "{}/{} files  {per_second:.0} records/s",
                    progress.files(),
                    progress.planned_files()
                ));
            }
            bar.finish_and_clear();
        });
        Bar {
            stop: Some((sender, drawing)),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some((sender, drawing)) = self.stop.take() {
            drop(sender);
            // A bar that panicked has nothing left to clear.
            let _ = drawing.join();
        }
    }
}
