//! A progress bar for backfills, fed by the runner's events.

use indicatif::{ProgressBar, ProgressStyle};
use migrate_pg::Event;
use std::sync::Mutex;

/// The bar of the backfill that is running.
pub struct Bar {
    current: Mutex<Option<ProgressBar>>,
}

impl Bar {
    pub fn new() -> Self {
        Self { current: Mutex::new(None) }
    }

    pub fn show(&self, event: &Event) {
        let Ok(mut current) = self.current.lock() else { return };
        match event {
            Event::Backfill { progress, .. } => {
                let bar = current.get_or_insert_with(|| {
                    let bar = ProgressBar::new(progress.estimated_rows.unwrap_or(progress.rows));
                    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len} rows, {msg}");
                    if let Ok(style) = style {
                        bar.set_style(style);
                    }
                    bar
                });
                // The runner knows rate and time left better than the bar can: how much of the table it has passed, and its
                // own pauses.
                let left = progress.left.map(|left| format!(", {:.0} s left", left.as_secs_f64())).unwrap_or_default();
                bar.set_message(format!("{:.0} rows/s{left}", progress.rate));
                bar.set_position(progress.rows);
            }
            Event::BackfillHeld { why, .. } => {
                if let Some(bar) = current.as_ref() {
                    bar.set_message(format!("waits: {why}"));
                }
            }
            Event::BackfillPaused { .. } => {
                if let Some(bar) = current.as_ref() {
                    bar.set_message("paused");
                }
            }
            Event::StepDone { .. } => {
                if let Some(bar) = current.take() {
                    bar.finish();
                }
            }
            _ => {}
        }
    }
}
