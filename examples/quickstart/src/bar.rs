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
            Event::Backfill { rows, estimated_rows, .. } => {
                let bar = current.get_or_insert_with(|| {
                    let bar = ProgressBar::new(estimated_rows.unwrap_or(*rows));
                    let style = ProgressStyle::with_template("  {bar:40} {pos}/{len} rows, {per_sec}, {eta} left");
                    if let Ok(style) = style {
                        bar.set_style(style);
                    }
                    bar
                });
                bar.set_position(*rows);
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
