-- Load for wrk: GET with a random traceparent, so that sampling by trace id has something to decide.
-- Arguments: seed, and the mean pause of a connection between two requests in ms (0: none).
-- The flag says "not sampled", as nearly all requests on Cloud Run do.
local PREPARED = 4096
local requests, index, pause = {}, 0, 0

local function hex(words)
   local text = ""
   for _ = 1, words do text = text .. string.format("%04x", math.random(0, 65535)) end
   return text
end

local function random_pause()
   return math.random(0, 2 * pause)
end

function init(args)
   math.randomseed(tonumber(args[1]))
   pause = tonumber(args[2])
   if pause > 0 then delay = random_pause end
   for i = 1, PREPARED do
      requests[i] = wrk.format("GET", nil, { traceparent = "00-" .. hex(8) .. "-" .. hex(4) .. "-00" })
   end
end

function request()
   index = index % PREPARED + 1
   return requests[index]
end

function done(summary, latency, _)
   local failed = summary.errors
   io.write(string.format(
      'bench {"requests": %d, "us": %d, "failed": %d, "p50_us": %.1f, "p99_us": %.1f}\n',
      summary.requests, summary.duration,
      failed.connect + failed.read + failed.write + failed.status + failed.timeout,
      latency:percentile(50), latency:percentile(99)))
end
