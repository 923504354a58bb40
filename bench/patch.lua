-- PATCHes for wrk, each for a different tunnel, because the service allows one change at a time on a tunnel.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(args)
    -- args: the token, and a word that makes this run's tunnels unique
    token, run, count = args[1], args[2], 0
    headers = {
        ["Authorization"] = "Bearer " .. token,
        ["Content-Type"] = "application/merge-patch+json",
    }
    body = '{"peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest"}'
    prefix = "/vpcs/vpc-bench/gateways/vpngw-bench/tunnels/vpnx-" .. run .. "-" .. number .. "-"
end

function request()
    count = count + 1
    return wrk.format("PATCH", prefix .. count, headers, body)
end

function done(summary, latency)
    io.write(string.format(
        '\nRESULT {"requests": %d, "micros": %d, "failed": %d, "p50": %d, "p99": %d}\n',
        summary.requests, summary.duration,
        summary.errors.status + summary.errors.timeout + summary.errors.read + summary.errors.connect,
        latency:percentile(50), latency:percentile(99)))
end
