-- Load for wrk: GET with a random traceparent, so that sampling by trace id has something to decide, and one of 64
-- user agents; a path that ends in a slash gets an id. Nothing that a service remembers of one request fits all.
-- Arguments: seed, the mean pause of a connection between two requests in ms (0: none), and of how many requests
-- one asks to fail (0: none). The flag says "not sampled", as nearly all requests on Cloud Run do.
local PREPARED, AGENTS, IDS = 4096, 64, 4096
local requests, index, sent, pause, fail_every = {}, 0, 0, 0, 0

local function hex(words)
   local text = ""
   for _ = 1, words do text = text .. string.format("%04x", math.random(0, 65535)) end
   return text
end

local function random_pause()
   return math.random(0, 2 * pause)
end

local function random_request(path)
   if path:sub(-1) == "/" then path = path .. math.random(0, IDS - 1) end
   return wrk.format("GET", path, {
      traceparent = "00-" .. hex(8) .. "-" .. hex(4) .. "-00",
      ["user-agent"] = string.format("Mozilla/5.0 (bench; client %d)", math.random(1, AGENTS)),
   })
end

function init(args)
   math.randomseed(tonumber(args[1]))
   pause, fail_every = tonumber(args[2]), tonumber(args[3])
   if pause > 0 then delay = random_pause end
   for i = 1, PREPARED do requests[i] = random_request(wrk.path) end
end

function request()
   sent = sent + 1
   if fail_every > 0 and sent % fail_every == 0 then return random_request("/fail?fail=1") end
   index = index % PREPARED + 1
   return requests[index]
end

function done(summary, latency, _)
   local failed = summary.errors
   io.write(string.format(
      'bench {"requests": %d, "us": %d, "failed": %d, "refused": %d, "p99_us": %.1f}\n',
      summary.requests, summary.duration,
      failed.connect + failed.read + failed.write + failed.timeout, failed.status,
      latency:percentile(99)))
end
