#!/bin/bash
# The usual guess: OpenMetrics grew out of Prometheus' text format, so node_exporter's textfile collector and promtool read
# it, and what is new is ignored like a comment, as `# UNIT` and `# EOF` are.
# What happens: one `# TYPE ... info` line makes them refuse all metrics of that file. prometheus-client's parser of the
# text format accepts it. The same timestamp means seconds in one format and milliseconds in the other.
. "$(dirname "$0")/lib.sh"
packages prometheus-client==0.26.0
debs promtool prometheus
debs prometheus-node-exporter prometheus-node-exporter
mkdir "$TMP/metrics"
printf '# TYPE held gauge\nheld 1\n# EOF\n' >"$TMP/metrics/common.prom"
printf '# TYPE listeners gauge\nlisteners 3\n# TYPE build info\nbuild_info{version="1"} 1\n# EOF\n' >"$TMP/metrics/info.prom"
printf '# TYPE age_seconds gauge\n# UNIT age_seconds seconds\nage_seconds 1\n# EOF\n' >"$TMP/metrics/unit.prom"
parsed() {
    python3 - "$1" "$2" <<'PYTHON'
import sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser
read = {"openmetrics": openmetrics_parser, "text": parser}[sys.argv[1]].text_string_to_metric_families
print(" ".join(f"{one.name}={one.value:g}" + (f"@{float(one.timestamp):.0f}" if one.timestamp else "") for family in read(sys.argv[2]) for one in family.samples))
PYTHON
}
address=127.0.0.1:$(free_port)
start prometheus-node-exporter --collector.disable-defaults --collector.textfile \
    --collector.textfile.directory="$TMP/metrics" --web.listen-address="$address"
served() {
    python3 -c 'import sys, urllib.request
text = urllib.request.urlopen(sys.argv[1]).read().decode()
print("\n".join(line for line in text.split("\n") if line.startswith(("held", "listeners", "build", "age", "node_textfile_scrape"))))' \
        "http://$address/metrics"
}
until_true 10 served
served
info=$(cat "$TMP/metrics/info.prom")
timed=$'# TYPE a gauge\na 1 1700000000\n# EOF\n'
echo "prometheus-client: $(parsed openmetrics "$info"); as text: $(parsed text "$info")"
echo "a timestamp: $(parsed openmetrics "$timed"); as text: $(parsed text "$timed")"
promtool check metrics <"$TMP/metrics/info.prom" 2>&1 || true
holds "prometheus-client reads the file with both parsers" test "$(parsed openmetrics "$info")" = "$(parsed text "$info")"
linted() { promtool check metrics <"$TMP/metrics/info.prom" >/dev/null 2>&1; }
holds "promtool refuses the type" not linted
holds "node_exporter serves nothing of that file" not grep -q '^listeners' <<<"$(served)"
holds "it serves the others, with # UNIT and # EOF" test "$(served | grep -cE '^(held|age_seconds) 1$')" = 2
holds "the same timestamp is 1000 times later in OpenMetrics" test \
    "$(parsed openmetrics "$timed"), $(parsed text "$timed")" = "a=1@1700000000, a=1@1700000"
