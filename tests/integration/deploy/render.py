"""Lints a chart and renders it with the engine of Helm: render.py CHART VALUES-AS-JSON"""

import json
import sys

from helm_python import chart

folder, values = sys.argv[1], json.loads(sys.argv[2])
with chart.Chart.load(folder) as loaded:
    loaded.validate_schema(values)
    rendered = loaded.render(values, name="nomad-exporter", namespace="monitoring")
# The only advice that is not followed is that a chart should have a picture.
complaints = [message for message in chart.lint(folder, values, strict=True)["messages"] if message["severity"] > 1]
if complaints:
    sys.exit(json.dumps(complaints))
print("\n---\n".join(text for text in rendered.values() if text.strip()))
