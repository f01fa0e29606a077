//! The page for people who open the exporter in a browser.

/// The page. The path is the operator's own, and escaped all the same.
pub(super) fn page(telemetry_path: &str) -> String {
    let path = escape(telemetry_path);
    let version = env!("CARGO_PKG_VERSION");
    format!(
        r#"<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Nomad exporter</title></head>
<body>
<h1>Nomad exporter {version}</h1>
<p>The state of a Nomad cluster for Prometheus.</p>
<ul>
<li><a href="{path}">Metrics</a></li>
<li><a href="/-/healthy">Healthy</a></li>
<li><a href="/-/ready">Ready</a></li>
</ul>
</body>
</html>
"#
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_path_is_text() {
        assert!(super::page(r#"/"><script>"#).contains(r#"href="/&quot;&gt;&lt;script&gt;""#));
    }
}
