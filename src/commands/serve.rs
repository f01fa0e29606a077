//! Serving until a signal says stop.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Error, collectors};
use crate::config::Config;
use crate::metrics::OwnMetrics;
use crate::publish::Publisher;
use crate::web::{AccessFile, Listener};

/// Collects and serves. Nomad need not be there: until it answers, the exporter says that it does not know.
pub(super) async fn run(config: Config) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    if config.nomad.tls.skip_verify {
        tracing::warn!("certificates of Nomad are not verified: whoever stands between can read the token");
    }
    if let Some(namespace) = &config.task_namespace {
        tracing::info!(
            namespace,
            "NOMAD_NAMESPACE is the namespace of this task: all are read unless --nomad.namespace selects some"
        );
    }
    for (key, label) in config.collect.labels.clashing() {
        tracing::warn!(key, label, "several keys would get the same label name: each got a number");
    }
    let own = Arc::new(OwnMetrics::new()?);
    let addresses: Vec<String> = config.nomad.addresses.iter().map(ToString::to_string).collect();
    let web = config.web.clone();
    let selection = config.selection.clone();
    let collectors = collectors(config, &own)?;
    let (context, access) = (collectors.context.clone(), web.access.clone());
    let publisher = Publisher {
        store: collectors.store.clone(),
        now: collectors.context.now,
        interval: collectors.context.settings.interval,
        own,
        selection,
        observe: Box::new(move |own| {
            let web_config = access.as_ref().and_then(AccessFile::last_load);
            for load in context.client.last_loads().chain(web_config) {
                own.files_loaded(load.set.as_str(), load.successful, load.last_success);
            }
        }),
    };
    if let Some(access) = &web.access {
        tracing::info!(%access, "read --web.config.file");
    }
    let listener = Listener::bind(web).await?;
    for address in listener.addresses() {
        let version = env!("CARGO_PKG_VERSION");
        tracing::info!(%address, version, nomad = addresses.join(","), "listening");
    }

    service_manager::started();

    let (sender, content) = watch::channel(Arc::new(publisher.render(None)));
    let publishing = tokio::spawn(publisher.keep_published(sender));
    let collecting = tokio::spawn(collectors.run());
    let stop = async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::info!("stopping");
        service_manager::stopping();
        collecting.abort();
    };
    listener.serve(content, stop).await;
    publishing.abort();
    tracing::info!("stopped");
    Ok(())
}

/// What systemd is told of a service of `Type=notify`; without one nobody listens.
#[cfg(target_os = "linux")]
mod service_manager {
    use sd_notify::{NotifyState, notify};

    /// It listens. Before that a failure is one of the start, which `systemctl start` reports.
    pub(super) fn started() {
        tell(NotifyState::Ready);
    }

    pub(super) fn stopping() {
        tell(NotifyState::Stopping);
    }

    fn tell(state: NotifyState<'_>) {
        if let Err(error) = notify(&[state]) {
            tracing::warn!(%error, "cannot notify the service manager");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod service_manager {
    pub(super) fn started() {}
    pub(super) fn stopping() {}
}
