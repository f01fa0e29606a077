//! Serving of metrics until a signal.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{Error, collectors};
use crate::config::Config;
use crate::metrics::OwnMetrics;
use crate::nomad::Endpoint;
use crate::publish::Publisher;
use crate::web::{AccessFile, Listener};

/// Collects and serves. Nomad need not respond: until then, the exporter reports that its data is missing.
pub(super) async fn run(config: Config) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate()).map_err(Error::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Error::Signals)?;
    if config.nomad.tls.skip_verify {
        tracing::warn!(
            "the certificate of Nomad is not verified, so an attacker in the network can read the token; unset --nomad.tls-skip-verify"
        );
    }
    if let Some(namespace) = &config.task_namespace {
        tracing::info!(
            namespace,
            "NOMAD_NAMESPACE is ignored because it is the namespace of this task; all namespaces are read unless --nomad.namespace selects some"
        );
    }
    for (key, label) in config.collect.labels.clashing() {
        tracing::warn!(key, label, "several keys have the same label name, so a number was appended to each");
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
            let events = &context.events;
            if context.settings.events {
                own.bytes_received(Endpoint::EventStream.as_str(), events.bytes());
                own.event_stream(events.is_open(), events.counts(), events.corrections());
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

/// Notifications for systemd (`Type=notify`); without systemd, they do nothing.
#[cfg(target_os = "linux")]
mod service_manager {
    use sd_notify::{NotifyState, notify};

    /// Reports that the exporter is listening. Failures before that make `systemctl start` fail.
    pub(super) fn started() {
        notify_systemd(NotifyState::Ready);
    }

    pub(super) fn stopping() {
        notify_systemd(NotifyState::Stopping);
    }

    fn notify_systemd(state: NotifyState<'_>) {
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
