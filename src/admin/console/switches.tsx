// Language, and light or dark.
import { language, speak, t } from "./language.ts";
import { theme, turn } from "./theme.ts";
import { Icon } from "./ui/icon.tsx";

export const Switches = () => (
  <>
    <button
      type="button"
      class="plain"
      lang={language.value === "zh" ? "en" : "zh-CN"}
      onClick={() => speak(language.value === "zh" ? "en" : "zh")}
    >
      {language.value === "zh" ? "English" : "中文"}
    </button>
    <button type="button" class="plain" aria-label={t("theme")} title={t("theme")} onClick={turn}>
      <Icon name={theme.value === "dark" ? "sun" : "moon"} />
    </button>
  </>
);
