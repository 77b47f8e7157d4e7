import { registerSW } from "virtual:pwa-register";

registerSW({ immediate: true });

const me = document.querySelector("#me");
const answer = await fetch("/api/me", { headers: { Accept: "application/json" } });
const said = await answer.json();
if (answer.ok) {
	me.textContent = said.user;
} else {
	me.innerHTML = '<a id="login">Sign in</a>';
	document.querySelector("#login").href = said.login_url;
}
