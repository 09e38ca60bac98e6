// uWebSockets.js reads this limit from the environment while it is loaded, so this file is imported before it, everywhere.
// Its own default of 4 KB for the request line and all headers would refuse a GET that lists a few hundred ids.
const name = "UWS_HTTP_MAX_HEADERS_SIZE";
process.env[name] ??= String(64 * 1024);
