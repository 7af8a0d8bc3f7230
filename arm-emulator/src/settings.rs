//! The settings as the control API reads and changes them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::config::{ConflictScope, ContainerNaming, Settings, Timings};

/// Times are in seconds, with fractions.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    timings: TimingsView,
    polls_to_end: Option<u32>,
    container_naming: ContainerNaming,
    datastores_appear: bool,
    page_size: usize,
    conflict_scope: ConflictScope,
    time_factor: u32,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TimingsView {
    create: f64,
    update: f64,
    delete: f64,
    provision: f64,
}

impl From<Settings> for View {
    fn from(settings: Settings) -> Self {
        let Settings {
            timings,
            polls_to_end,
            container_naming,
            datastores_appear,
            page_size,
            conflict_scope,
            time_factor,
        } = settings;
        let timings = TimingsView {
            create: timings.workspace_create.as_secs_f64(),
            update: timings.workspace_update.as_secs_f64(),
            delete: timings.workspace_delete.as_secs_f64(),
            provision: timings.network_provision.as_secs_f64(),
        };
        Self { timings, polls_to_end, container_naming, datastores_appear, page_size, conflict_scope, time_factor }
    }
}

/// A change: what is left out stays.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Change {
    timings: TimingsChange,
    /// 0 leaves it to the clock.
    polls_to_end: Option<u32>,
    container_naming: Option<ContainerNaming>,
    datastores_appear: Option<bool>,
    page_size: Option<usize>,
    conflict_scope: Option<ConflictScope>,
    time_factor: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct TimingsChange {
    create: Option<f64>,
    update: Option<f64>,
    delete: Option<f64>,
    provision: Option<f64>,
}

impl Change {
    /// The settings after the change, or why a time is none.
    pub(crate) fn apply(&self, settings: Settings) -> Result<Settings, String> {
        let duration = |seconds: Option<f64>, before: Duration| match seconds {
            None => Ok(before),
            Some(seconds) => {
                Duration::try_from_secs_f64(seconds).map_err(|error| format!("{seconds} seconds: {error}"))
            }
        };
        let before = settings.timings;
        Ok(Settings {
            timings: Timings {
                workspace_create: duration(self.timings.create, before.workspace_create)?,
                workspace_update: duration(self.timings.update, before.workspace_update)?,
                workspace_delete: duration(self.timings.delete, before.workspace_delete)?,
                network_provision: duration(self.timings.provision, before.network_provision)?,
            },
            polls_to_end: self.polls_to_end.map_or(settings.polls_to_end, |polls| (polls > 0).then_some(polls)),
            container_naming: self.container_naming.unwrap_or(settings.container_naming),
            datastores_appear: self.datastores_appear.unwrap_or(settings.datastores_appear),
            page_size: self.page_size.unwrap_or(settings.page_size),
            conflict_scope: self.conflict_scope.unwrap_or(settings.conflict_scope),
            time_factor: self.time_factor.unwrap_or(settings.time_factor),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_leaves_out_stays() {
        let change: Change = serde_json::from_str(r#"{"timings": {"delete": 0.5}}"#).expect("a change");
        let settings = change.apply(Settings::default()).expect("settings");
        assert_eq!(settings.timings.workspace_delete, Duration::from_millis(500));
        assert_eq!(settings.timings.workspace_create, Timings::default().workspace_create);
    }

    #[test]
    fn a_negative_time_is_refused() {
        let change: Change = serde_json::from_str(r#"{"timings": {"create": -1}}"#).expect("a change");
        assert!(change.apply(Settings::default()).is_err());
    }
}
