import react from '@vitejs/plugin-react';
import { defineConfig, type UserConfig } from 'vite';

/** Everything as files of our own origin: the content security policy knows no inline script, style or data address. */
const config: UserConfig = defineConfig({
  plugins: [react()],
  build: {
    target: 'es2023',
    outDir: 'dist',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
// vite reads the default export; it is the one place that has it
export { config as default };
