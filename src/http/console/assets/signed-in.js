// The page to which an issuer returns: passes the answer to the page that began the sign-in, and closes itself. The answer is
// a code that only that page can exchange.

/** The other page answers at once if it exists, in milliseconds. */
const LIMIT = 5_000;

// With several issuers each has a page of its own, which is this file under another name.
const page = location.pathname.split("/").pop();
const answer = { ...Object.fromEntries(new URLSearchParams(location.search)), page };
history.replaceState(null, "", location.pathname);
const said = document.getElementById("said");
const channel = new BroadcastChannel(`tunnelgate-sign-in-${answer.state}`);
const timer = setTimeout(() => {
  channel.close();
  said.textContent = "No page waits for this sign-in: it was not begun in this browser, was cancelled, or the page was closed. Nothing was signed in. Close this window, and sign in again from the gateway's page.";
}, LIMIT);
channel.onmessage = () => {
  clearTimeout(timer);
  channel.close();
  said.textContent = "Go on in the other window. You can close this one.";
  window.close();
};
channel.postMessage(answer);
