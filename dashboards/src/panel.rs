//! Panels and their common settings.

use serde_json::{Value, json};

use crate::promql::scoped;

/// One color per state on all dashboards.
const COLORS: &[(&str, &str)] = &[
    ("active", "green"),
    ("initializing", "blue"),
    ("draining", "yellow"),
    ("ineligible", "orange"),
    ("disconnected", "purple"),
    ("down", "red"),
    ("pending", "yellow"),
    ("running", "green"),
    ("dead", "text"),
    ("complete", "green"),
    ("stopped", "blue"),
    ("failed", "red"),
    ("lost", "purple"),
    ("drained", "orange"),
    ("preempted", "yellow"),
    ("timeout", "dark-red"),
    ("unknown", "text"),
];

/// Words for 0 and 1, if 1 is good.
pub(crate) const YES: Words = Words { no: ("no", "red"), yes: ("yes", "green") };

/// Words and colors for 0 and 1.
#[derive(Clone, Copy)]
pub(crate) struct Words {
    pub(crate) no: (&'static str, &'static str),
    pub(crate) yes: (&'static str, &'static str),
}

impl Words {
    pub(crate) fn mappings(self) -> Value {
        let word =
            |index: u8, (text, color): (&str, &str)| json!({"text": text, "color": color, "index": index});
        json!([{"type": "value", "options": {"0": word(0, self.no), "1": word(1, self.yes)}}])
    }
}

/// Returns value mappings with the colors of states.
pub(crate) fn state_mappings() -> Value {
    let options: Value =
        COLORS.iter().map(|(state, color)| ((*state).to_owned(), json!({"color": color}))).collect();
    json!([{"type": "value", "options": options}])
}

/// Kind of a query: range or instant, and its format.
#[derive(Clone, Copy)]
pub(crate) enum QueryKind {
    Range,
    Instant,
    Heatmap,
    Table,
}

/// A panel without its position.
pub(crate) struct Panel {
    pub(crate) width: u64,
    pub(crate) height: u64,
    pub(crate) json: Value,
    query_kind: QueryKind,
}

impl Panel {
    pub(crate) fn new(kind: &str, title: &str, description: &str, query_kind: QueryKind) -> Self {
        let json = json!({
            "type": kind, "title": title, "description": description, "pluginVersion": "11.0.0",
            "datasource": datasource(), "targets": [], "options": {},
            "fieldConfig": {"defaults": {}, "overrides": []},
        });
        Self { width: 12, height: 8, json, query_kind }
    }

    pub(crate) fn size(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Sets a default for all fields of the panel.
    pub(crate) fn default(mut self, name: &str, value: Value) -> Self {
        self.json["fieldConfig"]["defaults"][name] = value;
        self
    }

    pub(crate) fn options(mut self, options: Value) -> Self {
        self.json["options"] = options;
        self
    }

    pub(crate) fn overridden(mut self, field: &str, properties: &[(&str, Value)]) -> Self {
        let properties: Vec<_> =
            properties.iter().map(|(id, value)| json!({"id": id, "value": value})).collect();
        let change = json!({"matcher": {"id": "byName", "options": field}, "properties": properties});
        push(&mut self.json["fieldConfig"]["overrides"], change);
        self
    }

    /// Adds a query; see [`scoped`].
    pub(crate) fn query(mut self, query: &str, legend: &str) -> Self {
        let targets = &mut self.json["targets"];
        let letter = ('A'..='Z').nth(targets.as_array().map_or(0, Vec::len)).unwrap_or('Z');
        let (instant, format) = match self.query_kind {
            QueryKind::Range => (false, "time_series"),
            QueryKind::Instant => (true, "time_series"),
            QueryKind::Heatmap => (false, "heatmap"),
            QueryKind::Table => (true, "table"),
        };
        push(
            targets,
            json!({
                "refId": letter.to_string(), "datasource": datasource(), "editorMode": "code", "expr": scoped(query),
                "legendFormat": legend, "instant": instant, "range": !instant, "format": format,
            }),
        );
        self
    }

    /// Colors values: `base`, then the color of each step from its value.
    pub(crate) fn thresholds(self, base: &str, steps: &[(f64, &str)]) -> Self {
        let mut all = vec![json!({"color": base, "value": null})];
        all.extend(steps.iter().map(|(value, color)| json!({"color": color, "value": value})));
        self.default("thresholds", json!({"mode": "absolute", "steps": all}))
    }

    /// Sets the colors of these states.
    pub(crate) fn states(self, states: &[&str]) -> Self {
        let colored = COLORS.iter().filter(|(state, _)| states.contains(state));
        colored.fold(self, |panel, (state, color)| {
            panel.overridden(state, &[("color", json!({"mode": "fixed", "fixedColor": color}))])
        })
    }

    pub(crate) fn stacked(mut self) -> Self {
        let custom = &mut self.json["fieldConfig"]["defaults"]["custom"];
        custom["stacking"] = json!({"mode": "normal", "group": "A"});
        custom["fillOpacity"] = json!(50);
        self
    }

    /// Formats as a ratio up to 1, which is bad close to 1.
    pub(crate) fn ratio(self) -> Self {
        self.default("max", json!(1)).thresholds("green", &[(0.8, "yellow"), (0.95, "red")])
    }
}

fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn push(list: &mut Value, item: Value) {
    if let Value::Array(items) = list {
        items.push(item);
    }
}

/// Creates a panel with the current number. It is an instant query, so that a missing series shows nothing instead of
/// its last value.
pub(crate) fn stat(title: &str, description: &str, unit: &str, query: &str) -> Panel {
    Panel::new("stat", title, description, QueryKind::Instant)
        .size(3, 4)
        .default("unit", json!(unit))
        .options(json!({
            "colorMode": "value", "graphMode": "none", "justifyMode": "auto", "orientation": "auto",
            "textMode": "value", "wideLayout": true, "reduceOptions": now(),
        }))
        .thresholds("text", &[])
        .query(query, "")
}

/// Creates a panel with a word for 0 or 1.
pub(crate) fn yes_or_no(title: &str, description: &str, words: Words, query: &str) -> Panel {
    stat(title, description, "none", query).size(2, 4).default("mappings", words.mappings())
}

/// Creates a panel with lines over time.
pub(crate) fn timeseries(title: &str, description: &str, unit: &str) -> Panel {
    Panel::new("timeseries", title, description, QueryKind::Range)
        .default("unit", json!(unit))
        .default("min", json!(0))
        .default("color", json!({"mode": "palette-classic"}))
        .default(
            "custom",
            json!({"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never"}),
        )
        .options(json!({
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }))
}

/// Creates a panel with a bar for the current value of each series.
pub(crate) fn bar_gauge(title: &str, description: &str, unit: &str) -> Panel {
    Panel::new("bargauge", title, description, QueryKind::Instant)
        .default("unit", json!(unit))
        .default("min", json!(0))
        .options(json!({
            "displayMode": "basic", "orientation": "horizontal", "valueMode": "color", "showUnfilled": true,
            "sizing": "manual", "minVizHeight": 16, "maxVizHeight": 24, "minVizWidth": 8, "namePlacement": "left",
            "reduceOptions": now(),
        }))
        .thresholds("blue", &[])
}

/// Creates a heatmap of a histogram.
pub(crate) fn heatmap(title: &str, description: &str, query: &str) -> Panel {
    Panel::new("heatmap", title, description, QueryKind::Heatmap)
        .default("unit", json!("s"))
        .options(json!({
            "calculate": false, "cellGap": 1, "filterValues": {"le": 1e-9}, "legend": {"show": true},
            "color": {"mode": "scheme", "scheme": "Oranges", "exponent": 0.5, "steps": 64, "fill": "dark-orange"},
            "rowsFrame": {"layout": "auto"}, "showValue": "never", "tooltip": {"mode": "single", "yHistogram": false},
            "yAxis": {"axisPlacement": "left", "unit": "s"}, "cellValues": {"unit": "short"},
        }))
        .query(query, "{{le}}")
}

/// Creates a panel with text.
pub(crate) fn text(title: &str, description: &str, markdown: &str) -> Panel {
    let mut panel = Panel::new("text", title, description, QueryKind::Instant)
        .size(24, 3)
        .options(json!({"mode": "markdown", "content": markdown}));
    if let Value::Object(fields) = &mut panel.json {
        fields.remove("targets");
        fields.remove("datasource");
    }
    panel
}

fn now() -> Value {
    json!({"calcs": ["lastNotNull"], "fields": "", "values": false})
}
