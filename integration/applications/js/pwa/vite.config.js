import { defineConfig } from "vite";
import { VitePWA } from "vite-plugin-pwa";

// PLAIN leaves out what docs/callers.md says about the worker.
export default defineConfig({
	build: { target: "esnext" },
	plugins: [
		VitePWA({
			registerType: "autoUpdate",
			workbox: process.env.PLAIN ? {} : { navigateFallbackDenylist: [/^\/\.gatehouse\//] },
		}),
	],
});
