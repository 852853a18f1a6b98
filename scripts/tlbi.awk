# SPDX-License-Identifier: GPL-2.0
# Joins what the plugin tlbi has counted between markers with the cases they
# belong to. First file: the plugin's lines "run R pair P local L broadcast B";
# second: lines of topic, case, metric, value with the metrics PREFIX_first_pair
# and PREFIX_pair_step. -v topics= names the topics in the order of their runs.
# Prints: topic, case, metric, value: TLBIs per timed operation.

BEGIN { FS = "\t"; n = split(topics, name, ","); for (i = 1; i <= n; i++) run_of[name[i]] = i }

NR == FNR { split($0, w, " "); local[w[2], w[4]] = w[6]; all[w[2], w[4]] = w[8]; next }

$3 ~ /_first_pair$/ {
	sub(/_first_pair$/, "", $3)
	first[$1, $2, $3] = $4; count[$1, $2, $3] = $5; rows[++nr] = $1 FS $2 FS $3
}
$3 ~ /_pair_step$/ { sub(/_pair_step$/, "", $3); step[$1, $2, $3] = $4 }

END {
	for (r = 1; r <= nr; r++) {
		split(rows[r], part, FS)
		key = part[1] SUBSEP part[2] SUBSEP part[3]
		l = b = 0
		for (i = 0; i < count[key]; i++) {
			pair = first[key] + i * step[key]
			l += local[run_of[part[1]], pair]
			b += all[run_of[part[1]], pair]
		}
		print rows[r] "_tlbi_local" FS l / count[key]
		print rows[r] "_tlbi_broadcast" FS b / count[key]
	}
}
