-- SPDX-License-Identifier: GPL-2.0
-- scripts.lua, for sysbench: each event loads a small program from its source, runs
-- it with another number every time, and looks at what came out.
local util = require("jit.util")

local source = [[
local seed = ...
local prime, list, count = {}, {}, {}

-- The primes up to 2000.
for i = 2, 2000 do prime[i] = true end
for i = 2, 44 do
	if prime[i] then
		for j = i * i, 2000, i do prime[j] = false end
	end
end

-- Numbers in no order, sorted by insertion.
for i = 1, 150 do list[i] = (i * 7919 + seed) % 1009 end
for i = 2, #list do
	local number, j = list[i], i - 1
	while j > 0 and list[j] > number do
		list[j + 1] = list[j]
		j = j - 1
	end
	list[j + 1] = number
end

-- How many of them end in each digit.
for i = 0, 9 do count[i] = 0 end
for i = 1, #list do
	local digit = list[i] % 10
	count[digit] = count[digit] + 1
end

local primes, ordered, all = 0, true, 0
for i = 2, 2000 do if prime[i] then primes = primes + 1 end end
for i = 2, #list do if list[i - 1] > list[i] then ordered = false end end
for i = 0, 9 do all = all + count[i] end
return primes, ordered, all
]]

local seed = 0

function event()
	seed = seed + 1
	local primes, ordered, all = assert(load(source))(seed)
	if primes ~= 303 or not ordered or all ~= 150 then
		error("wrong: " .. primes .. " primes, " .. all .. " numbers")
	end
	assert(util.traceinfo(1), "nothing was compiled to machine code")
end
