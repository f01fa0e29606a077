# Makes alert and recording rules FASTER times as fast, for a demo in which an hour passes in minutes: how long a condition
# must hold, how far a query looks back, and from which age on something is too old. Counts and shares stay.

function seconds(text) { return int(substr(text, 1, length(text) - 1) * unit[substr(text, length(text))] / FASTER) "s" }

BEGIN { unit["s"] = 1; unit["m"] = 60; unit["h"] = 3600; unit["d"] = 86400 }

/^ +(for|keep_firing_for): [0-9]+[smhd]$/ { sub(/[0-9]+[smhd]$/, seconds($2)) }

# Thresholds of ages, and the one that is not a threshold.
/record: nomad:threshold:[a-z_]*seconds/ { is_age = 1 }
is_age && match($0, /vector\([0-9]+\)/) {
    sub(/vector\([0-9]+\)/, "vector(" substr($0, RSTART + 7, RLENGTH - 8) / FASTER ")")
    is_age = 0
}
/>= 3600$/ { sub(/3600$/, 3600 / FASTER) }

# Ages in buckets: the next bound of the histogram.
{
    gsub(/le="300\.0"/, "le=\"30.0\"")
    gsub(/le="600\.0"/, "le=\"30.0\"")
    gsub(/le="1800\.0"/, "le=\"120.0\"")
}

{
    rest = $0
    line = ""
    while (match(rest, /\[[0-9]+[smhd]/)) {
        line = line substr(rest, 1, RSTART) seconds(substr(rest, RSTART + 1, RLENGTH - 1))
        rest = substr(rest, RSTART + RLENGTH)
    }
    print line rest
}
