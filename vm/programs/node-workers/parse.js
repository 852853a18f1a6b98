// SPDX-License-Identifier: GPL-2.0
// parse.js THREADS UNITS FILE: parse FILE UNITS times, shared among THREADS.
const { Worker, isMainThread, workerData } = require('worker_threads');

if (isMainThread) {
	const [threads, units, file] = process.argv.slice(2);

	for (let i = 0; i < threads; i++)
		new Worker(__filename, { workerData: { count: units / threads, file } });
} else {
	const acorn = require('/usr/share/nodejs/acorn');
	const source = require('fs').readFileSync(workerData.file, 'utf8');

	for (let i = 0; i < workerData.count; i++)
		acorn.parse(source, { ecmaVersion: 'latest', sourceType: 'module' });
}
